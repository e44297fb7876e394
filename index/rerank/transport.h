// S_struct of one query against many results, fast: similarities, exponentials and rounds in int8 and float32 vectors
// (index/kernels), the plan never written out. sinkhorn.h has the formulas and the plain version.
//
// Grids may have any shape, and the two sides different ones. Tokens are used as unit vectors, whatever their scale.
//
// transport_device.h has the same on a device with its own memory.
//
// Threading: a TransportQuery is read-only once made, and may be used from any thread; Score uses the calling thread.
// Ownership: it keeps a packed copy of the query's tokens; results are only looked at. Failure: INVALID_ARGUMENT for
// options out of range, tokens that are not finite, or token dimensions that differ.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const TransportQuery query, TransportQuery::Make(tokens, {}, options));
//   SIGHTLINE_ASSIGN_OR_RETURN(const auto scores, query.Score(results));
#ifndef SIGHTLINE_INDEX_RERANK_TRANSPORT_H_
#define SIGHTLINE_INDEX_RERANK_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/record.h"
#include "index/rerank/sinkhorn.h"
#include "index/rerank/transport_options.h"

namespace sightline::index::rerank {

// One side of a match.
struct Patches {
  const PatchTokens* tokens = nullptr;
  absl::Span<const uint8_t> mask = {};  // 1: takes part; empty: all do
};

struct TransportScore {
  double structural = 0;  // S_struct
  double mass = 0;        // transported
  int rounds = 0;
  bool converged = false;
  friend bool operator==(const TransportScore&, const TransportScore&) = default;
};

class TransportQuery {
 public:
  static absl::StatusOr<TransportQuery> Make(const Patches& query, const TransportOptions& options);
  ~TransportQuery();
  TransportQuery(TransportQuery&&) noexcept;
  TransportQuery& operator=(TransportQuery&&) noexcept;

  const TransportOptions& options() const;
  // The query as it was passed, valid as long as this.
  Patches patches() const;

  // One score per result, in order. Each is that of the result alone, except with StopRule::kReference.
  absl::StatusOr<std::vector<TransportScore>> Score(absl::Span<const Patches> results) const;

  // Something that S_struct of each result cannot exceed, for the price of the similarities alone; for leaving out
  // those that cannot come to the top.
  absl::StatusOr<std::vector<double>> UpperBounds(absl::Span<const Patches> results) const;

  // The whole plan for one result, in double precision; rows and columns are those of the two grids, whatever cells
  // took part.
  absl::StatusOr<Plan> Explain(const Patches& result) const;

 private:
  struct Packed;
  explicit TransportQuery(std::unique_ptr<const Packed> packed);
  std::unique_ptr<const Packed> packed_;
};

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_TRANSPORT_H_
