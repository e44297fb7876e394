// Attend: softmax(q k^T / sqrt(d)) v for many heads, block of queries by block of queries: the scores of one block of
// one head stay in a core's cache, and no matrix of all of them exists.
//
// Threading: one thread at a time; heads and blocks are spread over that thread's OpenMP threads. Ownership: nothing is
// kept. Failure: std::bad_alloc.
#ifndef SIGHTLINE_MODEL_ENGINE_ATTENTION_CORE_H_
#define SIGHTLINE_MODEL_ENGINE_ATTENTION_CORE_H_

#include <cstdint>
#include <memory>

#include "model/engine/buffers.h"

namespace sightline::model::engine {

// Values (batch, token, head, head_dim) wherever they lie; those of one head and token are neighbours. Strides count
// floats.
struct HeadsView {
  const float* data = nullptr;
  int64_t batch_stride = 0;
  int64_t token_stride = 0;
  int64_t head_stride = 0;
};

struct AttentionShape {
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t queries = 0;
  int64_t keys = 0;
  int64_t head_dim = 0;
};

// `out` (batch, queries, heads, head_dim) without gaps. `first_query`, if not null, becomes the attention of query 0 to
// every key, mean over heads: (batch, keys).
void Attend(const std::shared_ptr<BufferPool>& pool, const HeadsView& q, const HeadsView& k, const HeadsView& v,
            const AttentionShape& shape, float* out, float* first_query);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_ATTENTION_CORE_H_
