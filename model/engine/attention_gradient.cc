#include "model/engine/attention_gradient.h"

#include <dnnl.h>

#include <algorithm>
#include <cmath>

#include "model/engine/attention_block.h"
#include "model/engine/parallel.h"
#include "model/engine/softmax.h"

namespace sightline::model::engine {
namespace {

// Two blocks are live at once, the scores and their gradient: together half of a core's second-level cache.
constexpr int64_t kGradientBlockScores = 64 * 1024;

template <class View>
auto* HeadAt(const View& view, int64_t image, int64_t head, int64_t token) {
  return view.data + image * view.batch_stride + head * view.head_stride + token * view.token_stride;
}

}  // namespace

void AttendGradient(const std::shared_ptr<BufferPool>& pool, const HeadsView& q, const HeadsView& k, const HeadsView& v,
                    const AttentionShape& shape, const float* out_gradient, const HeadsTarget& dq,
                    const HeadsTarget& dk, const HeadsTarget& dv) {
  const int64_t keys = shape.keys;
  const int64_t dim = shape.head_dim;
  const int64_t out_stride = shape.heads * dim;
  const AttentionBlocks blocks = CutQueries(shape.queries, keys, kGradientBlockScores);
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  const Buffer buffer =
      BufferPool::Take(pool, static_cast<size_t>(2 * MaxThreads() * blocks.rows * keys) * sizeof(float));

  ParallelTasks(shape.batch * shape.heads, [&](int64_t task, int thread) {
    const int64_t head = task % shape.heads;
    const int64_t image = task / shape.heads;
    float* const scores = buffer.floats() + 2 * thread * blocks.rows * keys;
    float* const gradients = scores + blocks.rows * keys;
    const float* const all_keys = HeadAt(k, image, head, 0);
    const float* const values = HeadAt(v, image, head, 0);
    for (int64_t begin = 0; begin < shape.queries; begin += blocks.rows) {
      const int64_t count = std::min(blocks.rows, shape.queries - begin);
      const float* const queries = HeadAt(q, image, head, begin);
      const float* const outs = out_gradient + (image * shape.queries + begin) * out_stride + head * dim;
      // Blocks add to what every query contributes to.
      const float before = begin == 0 ? 0 : 1;
      dnnl_sgemm('N', 'T', count, keys, dim, scale, queries, q.token_stride, all_keys, k.token_stride, 0, scores, keys);
      for (int64_t row = 0; row < count; ++row) {
        float* const values_of_row = scores + row * keys;
        Scale(values_of_row, static_cast<size_t>(keys), 1 / ExpOfRow(values_of_row, static_cast<size_t>(keys)));
      }
      dnnl_sgemm('T', 'N', keys, dim, count, 1, scores, keys, outs, out_stride, before, HeadAt(dv, image, head, 0),
                 dv.token_stride);
      dnnl_sgemm('N', 'T', count, keys, dim, 1, outs, out_stride, values, v.token_stride, 0, gradients, keys);
      for (int64_t row = 0; row < count; ++row) {
        SoftmaxGradientOfRow(scores + row * keys, static_cast<size_t>(keys), gradients + row * keys);
      }
      dnnl_sgemm('N', 'N', count, dim, keys, scale, gradients, keys, all_keys, k.token_stride, 0,
                 HeadAt(dq, image, head, begin), dq.token_stride);
      dnnl_sgemm('T', 'N', keys, dim, count, scale, gradients, keys, queries, q.token_stride, before,
                 HeadAt(dk, image, head, 0), dk.token_stride);
    }
  });
}

}  // namespace sightline::model::engine
