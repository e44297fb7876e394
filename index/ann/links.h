// Links: what leads a search of a segment to few of its rows: a graph (graph.h) or inverted lists (ivf.h).
//
// Threading: Insert from one thread at a time, searches meanwhile from any. Ownership: refers to the codes, which
// outlive it. Failure: Save as its sink; loading refuses damaged bytes with DATA_LOSS.
//
//   std::unique_ptr<Links> links = MakeGraphLinks(codes, options);
//   links->Insert(0, rows, pool);
//   const LinksResult found = links->Search({.query = &query, .k = 20, .effort = 100, .accept = alive});
#ifndef SIGHTLINE_INDEX_ANN_LINKS_H_
#define SIGHTLINE_INDEX_ANN_LINKS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/thread_pool.h"
#include "index/ann/code_table.h"
#include "index/ann/graph.h"
#include "index/ann/quantizers.h"
#include "index/ann/row_bits.h"
#include "index/ann/top_k.h"

namespace sightline::index {

struct LinksRequest {
  const float* vector = nullptr;              // the query, dim values, and
  const kernels::Int8Query* query = nullptr;  // its code
  size_t k = 0;
  size_t effort = 0;                         // the graph's efSearch, the inverted lists' nprobe; 0: the default
  const RowBits* filter = nullptr;           // rows that may be returned; all where null
  double filter_width = 1;                   // with a filter, how many times wider a graph is searched
  absl::FunctionRef<bool(uint32_t)> accept;  // whether a row that passes is visible
  const std::function<bool()>* cancelled = nullptr;
  int64_t max_compared = std::numeric_limits<int64_t>::max();  // where a search is given up
};

struct LinksResult {
  std::vector<ScoredRow> best;  // by the score of the codes, best first
  int64_t compared = 0;
  bool cancelled = false;
  bool gave_up = false;
};

class Links {
 public:
  virtual ~Links() = default;

  // "hnsw" or "ivf".
  virtual const char* name() const = 0;
  // Rows [begin, end), each once, with the help of `pool` (may be null).
  virtual void Insert(uint32_t begin, uint32_t end, base::ThreadPool* pool) = 0;
  virtual LinksResult Search(const LinksRequest& request) const = 0;
  // The effort that 0 stands for.
  virtual size_t default_effort() const = 0;
  // How many candidates the best `k` should be picked from, in full precision.
  virtual size_t CandidatesFor(size_t k) const = 0;
  // Whether scores are those of the int8 codes, whose error is known.
  virtual bool scores_by_codes() const = 0;
  // The links among the first `rows` rows.
  virtual absl::Status Save(uint32_t rows, absl::FunctionRef<absl::Status(absl::string_view)> sink) const = 0;
  virtual uint32_t size() const = 0;  // rows inserted
  virtual int64_t memory_bytes() const = 0;
};

std::unique_ptr<Links> MakeGraphLinks(const CodeTable& codes, const Graph::Options& options);
absl::StatusOr<std::unique_ptr<Links>> LoadGraphLinks(const CodeTable& codes, const Graph::Options& options,
                                                      absl::string_view bytes);

// With a product quantiser, searches go by its codes, of which the links hold one for each row: `codes` is then read
// only when rows are inserted.
absl::StatusOr<std::unique_ptr<Links>> MakeInvertedLinks(const CodeTable& codes, const Quantizers& quantizers);
absl::StatusOr<std::unique_ptr<Links>> LoadInvertedLinks(const CodeTable& codes, const Quantizers& quantizers,
                                                         absl::string_view bytes);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_LINKS_H_
