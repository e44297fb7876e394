// Database-side augmentation: every descriptor moved towards its nearest neighbours, offline, so that searches find
// what they would have found by query expansion without paying for a second search.
//
//   x'_i = L2(x_i + sum over j in N(i) of max(x_i.x_j, 0)^alpha x_j)        N(i): the k nearest rows other than i
//
// All x' are made from descriptors as they were written; none is made from another x'. Source: Arandjelovic and
// Zisserman, CVPR 2012 (database-side augmentation), with the weights of Radenovic et al., TPAMI 2019. Upkeep::Optimize
// walks the rows.
//
// Threading: a pure function. Failure: none.
//
//   const std::vector<float> augmented = rerank::AugmentRow(row, neighbours, cosines, /*alpha=*/3);
#ifndef SIGHTLINE_INDEX_RERANK_AUGMENTATION_H_
#define SIGHTLINE_INDEX_RERANK_AUGMENTATION_H_

#include <vector>

#include "index/rerank/descriptor_rows.h"
#include "index/rerank/query_expansion.h"

namespace sightline::index::rerank {

// `row`: neighbours.dim values; `cosines`: those of the row with each neighbour. Returns neighbours.dim values,
// L2-normalised.
inline std::vector<float> AugmentRow(const float* row, const DescriptorRows& neighbours, const float* cosines,
                                     double alpha) {
  return ExpandAlphaWeighted(row, neighbours, cosines, neighbours.count, alpha);
}

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_AUGMENTATION_H_
