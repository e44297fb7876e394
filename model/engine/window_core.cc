#include "model/engine/window_core.h"

#include <dnnl.h>

#include <cmath>

#include "model/engine/parallel.h"
#include "model/engine/softmax.h"

namespace sightline::model::engine {

void AttendWindows(const std::shared_ptr<BufferPool>& pool, const float* qkv, const float* bias, const float* mask,
                   const WindowShape& shape, float* out) {
  const int64_t cells = shape.cells;
  const int64_t dim = shape.heads * shape.head_dim;
  const float scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
  const Buffer scores = BufferPool::Take(pool, static_cast<size_t>(MaxThreads() * cells * cells) * sizeof(float));
  ParallelTasks(shape.windows * shape.batch, [&](int64_t task, int thread) {
    float* const window_scores = scores.floats() + thread * cells * cells;
    const float* const window_mask = mask == nullptr ? nullptr : mask + task / shape.batch * cells * cells;
    for (int64_t head = 0; head < shape.heads; ++head) {
      const float* const q = qkv + task * cells * 3 * dim + head * shape.head_dim;
      float* const result = out + task * cells * dim + head * shape.head_dim;
      dnnl_sgemm('N', 'T', cells, cells, shape.head_dim, scale, q, 3 * dim, q + dim, 3 * dim, 0, window_scores, cells);
      const float* const head_bias = bias + head * cells * cells;
      for (int64_t i = 0; i < cells * cells; ++i) window_scores[i] += head_bias[i];
      for (int64_t i = 0; window_mask != nullptr && i < cells * cells; ++i) window_scores[i] += window_mask[i];
      for (int64_t row = 0; row < cells; ++row) {
        float* const values = window_scores + row * cells;
        Scale(values, static_cast<size_t>(cells), 1 / ExpOfRow(values, static_cast<size_t>(cells)));
      }
      dnnl_sgemm('N', 'N', cells, shape.head_dim, cells, 1, window_scores, cells, q + 2 * dim, 3 * dim, 0, result, dim);
    }
  });
}

}  // namespace sightline::model::engine
