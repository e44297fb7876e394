// How good a ranking is: the measures of retrieval benchmarks over the ranks at which relevant images stand.
//
// Ranks are zero-based positions in a ranking from which ignored images are already gone, strictly ascending;
// `positives` is how many relevant images there are, found or not. A query without positives has no value: leave it out
// of means.
//
// Threading: pure functions. Failure: none; callers keep `positives` at least 1 and at least ranks.size().
//
//   const double ap = base::TrapezoidalPrecision(ranks, positives);
#ifndef SIGHTLINE_BASE_RETRIEVAL_METRICS_H_
#define SIGHTLINE_BASE_RETRIEVAL_METRICS_H_

#include <cstdint>

#include "absl/types/span.h"

namespace sightline::base {

// (1/2n) sum over j of (p0_j + p1_j), p0 = j / r_j (1 at r_j = 0), p1 = (j + 1) / (r_j + 1): the average precision of
// Oxford5k, Paris6k and their revisited versions.
double TrapezoidalPrecision(absl::Span<const int64_t> ranks, int64_t positives);

// (1/n) sum over j of (j + 1) / (r_j + 1): average precision without the trapezoid.
double AveragePrecision(absl::Span<const int64_t> ranks, int64_t positives);

// (1/min(n, k)) sum over r_j < k of (j + 1) / (r_j + 1): mAP@100 of GLDv2 with k = 100, MAP@R with k = n.
double AveragePrecisionAt(absl::Span<const int64_t> ranks, int64_t positives, int64_t k);

// The revisited protocol's precision at k: over min(k, r_last + 1) positions, r_last the last relevant image found.
// 0 for no ranks.
double RevisitedPrecisionAt(absl::Span<const int64_t> ranks, int64_t k);

// The share of the first k positions that are relevant.
double PrecisionAt(absl::Span<const int64_t> ranks, int64_t k);

// 1 if any of the first k positions is relevant, else 0.
double RecallAt(absl::Span<const int64_t> ranks, int64_t k);

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_RETRIEVAL_METRICS_H_
