// Query expansion: a query moved towards its best results, for one more search.
//
//   average          q' = L2(q + sum over i < k of x_i)                        Chum et al., "Total Recall", ICCV 2007
//   alpha-weighted   q' = L2(q + sum over i < k of max(q.x_i, 0)^alpha x_i)    Radenovic et al., TPAMI 2019
//
// q (dim), x (n x dim, best first), cosines q.x_i (n) -> q' (dim). k is the number of neighbours asked for, or n where
// there are fewer. A result that points away from the query (a cosine of 0 or less) weighs nothing in the weighted sum,
// whatever alpha: raised to an odd power it would push the query away from it, to a fraction it would be no number.
// Where the sum is zero, as with k = 1 and x = -q, the answer is q.
//
// Threading: pure functions. Failure: none; the caller checks alpha (0 or more, finite).
//
//   std::vector<float> expanded = rerank::ExpandAverage(query.data(), best, rerank::kAverageNeighbours);
#ifndef SIGHTLINE_INDEX_RERANK_QUERY_EXPANSION_H_
#define SIGHTLINE_INDEX_RERANK_QUERY_EXPANSION_H_

#include <cstddef>
#include <vector>

#include "index/rerank/descriptor_rows.h"

namespace sightline::index::rerank {

// More than ten unweighted neighbours bring in wrong results; weighted ones do no harm for longer.
inline constexpr size_t kAverageNeighbours = 10;
inline constexpr size_t kAlphaNeighbours = 48;
inline constexpr double kDefaultAlpha = 3;

std::vector<float> ExpandAverage(const float* query, const DescriptorRows& best, size_t neighbours);

// `cosines` are those of `best`, in its order.
std::vector<float> ExpandAlphaWeighted(const float* query, const DescriptorRows& best, const float* cosines,
                                       size_t neighbours, double alpha);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_QUERY_EXPANSION_H_
