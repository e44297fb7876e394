// The SuperGlobal re-ranking rule: a shortlist ordered anew by its own descriptors, without any other feature.
//
// With query q (dim), candidates x (n x dim), K neighbours in all and beta, N(i) the K - 1 candidates other than i of
// the greatest cosine with x_i:
//
//   w_ij = beta * max(x_i.x_j, 0)          x~_i = (x_i + sum over j in N(i) of w_ij x_j) / (1 + sum of w_ij)
//   S1_i = q.x~_i                          q~ = element-wise maximum of x~ over the K candidates of the greatest S1
//   S2_i = q~.x~_i                         score_i = (S1_i + S2_i) / 2
//
// Nothing is normalised in between. Source: Shao et al., "Global Features are All You Need for Image Retrieval and
// Reranking", ICCV 2023, with its values M 400, K 10, beta 0.15. One thing is ours: a negative cosine weighs nothing.
// Among real neighbours there is none; among few candidates it could make the weights' sum zero.
//
// The cost is the Gram matrix of the shortlist: S1 and S2 need only q.x_j and q~.x_j, since x~ is a sum of a few x_j.
// 400 x 1536 takes about 5 ms on one core.
//
// The score orders the shortlist and nothing else: it is no cosine and not to be compared with those below the
// shortlist, which keep their order and stand behind.
//
// Threading: a pure function. Failure: none. Equal candidates get scores that differ by rounding at most; the caller
// sorts stably, so that ties stay as they came.
//
//   const std::vector<float> scores = rerank::SuperGlobalScores(query.data(), shortlist);
#ifndef SIGHTLINE_INDEX_RERANK_SUPER_GLOBAL_H_
#define SIGHTLINE_INDEX_RERANK_SUPER_GLOBAL_H_

#include <cstddef>
#include <vector>

#include "index/rerank/descriptor_rows.h"

namespace sightline::index::rerank {

inline constexpr size_t kSuperGlobalShortlist = 400;  // M: what the caller should hand over, where there is as much

struct SuperGlobalOptions {
  size_t neighbours = 10;  // K, the candidate itself included; at least 1
  float beta = 0.15f;
};

// One score for every candidate, in the order given; greater is better.
std::vector<float> SuperGlobalScores(const float* query, const DescriptorRows& candidates,
                                     const SuperGlobalOptions& options = {});

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_SUPER_GLOBAL_H_
