// One side of a match before any arithmetic: what is refused, what the stored tokens are as numbers, and which patches
// take part with what weight. The plain and the fast version of transport share it.
//
// Threading: pure functions. Ownership: arguments are only looked at. Failure: CheckPatches and PatchSimilarities
// answer INVALID_ARGUMENT; the others take what CheckPatches has passed.
//
//   SIGHTLINE_RETURN_IF_ERROR(CheckPatches(result, options));
//   const PatchSet set = DecodePatches(*result.tokens);
//   const ChosenPatches chosen = ChoosePatches(result, Cosines(set, query.centre), options.result_cells, options);
#ifndef SIGHTLINE_INDEX_RERANK_PATCH_SET_H_
#define SIGHTLINE_INDEX_RERANK_PATCH_SET_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/record.h"
#include "index/rerank/transport.h"
#include "index/rerank/transport_options.h"

namespace sightline::index::rerank {

// Refuses an empty grid, a number of values, scales, importances, centre values or mask entries that does not fit it,
// and values that are not finite; of centre and importance only what `options` make use of.
absl::Status CheckPatches(const Patches& patches, const TransportOptions& options);

// Refuses tokens of another dimension than the query's.
absl::Status CheckSameDimension(const PatchTokens& query, const PatchTokens& result);

// Every vector of length 1; one of zeros stays, and has the cosine 0 with everything.
struct PatchSet {
  size_t cells = 0;
  size_t dim = 0;
  std::vector<double> tokens;  // cells * dim
  std::vector<double> centre;  // dim; empty where none is stored
};

PatchSet DecodePatches(const PatchTokens& tokens);

// Of every token of `set` with `vector`, which has set.dim values.
std::vector<double> Cosines(const PatchSet& set, absl::Span<const double> vector);

// The patches of one side that take part.
struct ChosenPatches {
  std::vector<int> cells;       // in the order of the grid
  std::vector<double> weights;  // of each of them
};

// Of the patches that no mask leaves out, the `most` of the greatest weight (0: all), weighted as though the others
// were masked, so that fewer cells do not mean less mass. Patches without weight are left out, except with kReference,
// whose rule counts them. `cosines`: of every cell to the other side's centre; anything of that length where
// NeedsCentre is false.
ChosenPatches ChoosePatches(const Patches& patches, absl::Span<const double> cosines, int most,
                            const TransportOptions& options);

// The cosine of every patch of `result` with every one of `query`: cells(result) * cells(query), row-major.
absl::StatusOr<std::vector<double>> PatchSimilarities(const PatchTokens& result, const PatchTokens& query);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_PATCH_SET_H_
