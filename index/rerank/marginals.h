// The weights of patches (METHODS.md 3.2): how much of the mass starts at, and goes to, each of them.
//
// Each side is weighted by the other image's centre: for patches f (R x Ct) and the other side's centre g,
// a_s = g . f_s, and w from a as Marginals says; then u = w / (sum of w + 1e-5), where kUniform is 1 / R exactly and
// kImportance is w / sum of w. R counts the patches that take part, and softmax is taken over them. A side whose w are
// all 0 falls back to uniform: the reference would divide 0 by 0. A masked patch weighs nothing; with every patch
// masked all weights are 0.
//
// The 1e-5 is the reference's. It leaves a sum a little below 1, by another amount on each side; visibly so where all w
// are small (kInverse at a low temperature). sinkhorn.h says what becomes of that.
//
// Threading: pure functions. Failure: none; the caller has validated.
//
//   const std::vector<double> u = PatchWeights(cosines, result.importance, mask, options);
#ifndef SIGHTLINE_INDEX_RERANK_MARGINALS_H_
#define SIGHTLINE_INDEX_RERANK_MARGINALS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "index/rerank/transport_options.h"

namespace sightline::index::rerank {

// Whether `marginals` looks at the cosines; without, they may be anything of the right number.
bool NeedsCentre(Marginals marginals);

// `cosines` to the other centre, `importance` as stored (looked at by kImportance alone), `mask` (1: takes part) empty
// or as long as `cosines`.
std::vector<double> PatchWeights(absl::Span<const double> cosines, absl::Span<const float> importance,
                                 absl::Span<const uint8_t> mask, const TransportOptions& options);

// The `most` patches of the greatest weight that is above 0, in the order of the grid; all of them for 0. Ties go to
// the earlier one.
std::vector<int> StrongestPatches(absl::Span<const double> weights, int most);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_MARGINALS_H_
