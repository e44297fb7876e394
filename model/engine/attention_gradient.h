// AttendGradient: what Attend's inputs receive from the gradient of its output. The scores are computed again, block of
// queries by block of queries: training keeps q, k and v, and no matrix of scores.
//
// Formulas, for one head, P = softmax(s q k^T), s = 1 / sqrt(head_dim), o = P v:
//   dv = P^T do,  dP = do v^T,  dS = P * (dP - sum over keys of dP * P),  dq = s dS k,  dk = s dS^T q.
//
// Threading: one thread at a time; heads are spread over that thread's OpenMP threads, each computed by one of them, so
// that results do not depend on how many there are (a single head in all is computed by all of them). Ownership:
// nothing is kept. Failure: std::bad_alloc.
#ifndef SIGHTLINE_MODEL_ENGINE_ATTENTION_GRADIENT_H_
#define SIGHTLINE_MODEL_ENGINE_ATTENTION_GRADIENT_H_

#include <memory>

#include "model/engine/attention_core.h"
#include "model/engine/buffers.h"

namespace sightline::model::engine {

// As HeadsView, to be overwritten.
struct HeadsTarget {
  float* data = nullptr;
  int64_t batch_stride = 0;
  int64_t token_stride = 0;
  int64_t head_stride = 0;
};

// `out_gradient` (batch, queries, heads, head_dim) without gaps.
void AttendGradient(const std::shared_ptr<BufferPool>& pool, const HeadsView& q, const HeadsView& k, const HeadsView& v,
                    const AttentionShape& shape, const float* out_gradient, const HeadsTarget& dq,
                    const HeadsTarget& dk, const HeadsTarget& dv);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_ATTENTION_GRADIENT_H_
