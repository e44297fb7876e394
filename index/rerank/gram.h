// The Gram matrix of a shortlist: the inner product of every row with every other.
//
//   G[i][j] = sum over d of rows[i][d] * rows[j][d]           rows (n x dim) -> G (n x n), row-major, symmetric
//
// Half of it is computed, in blocks that stay in the caches, and mirrored: 400 x 1536 takes about 4 ms on one core.
//
// Threading: a pure function. Failure: none; NaN and Inf propagate as in the sums themselves.
//
//   const std::vector<float> gram = rerank::Gram(rows);
//   const float cosine = gram[i * rows.count + j];
#ifndef SIGHTLINE_INDEX_RERANK_GRAM_H_
#define SIGHTLINE_INDEX_RERANK_GRAM_H_

#include <vector>

#include "index/rerank/descriptor_rows.h"

namespace sightline::index::rerank {

std::vector<float> Gram(const DescriptorRows& rows);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_GRAM_H_
