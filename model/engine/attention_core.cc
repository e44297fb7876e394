#include "model/engine/attention_core.h"

#include <dnnl.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/engine/attention_block.h"
#include "model/engine/parallel.h"
#include "model/engine/softmax.h"

namespace sightline::model::engine {
namespace {

// Scores of one block: 512 KiB, half of the second-level cache of a server's core.
constexpr int64_t kBlockScores = 128 * 1024;

// Query 0 of every head, (batch, heads, keys) -> mean over heads (batch, keys).
void MeanOverHeads(const float* rows, const AttentionShape& shape, float* mean) {
  const auto keys = static_cast<size_t>(shape.keys);
  for (int64_t b = 0; b < shape.batch; ++b, mean += keys) {
    std::fill_n(mean, keys, 0.0f);
    for (int64_t h = 0; h < shape.heads; ++h, rows += keys) {
      for (size_t i = 0; i < keys; ++i) mean[i] += rows[i];
    }
    Scale(mean, keys, 1.0f / static_cast<float>(shape.heads));
  }
}

}  // namespace

void Attend(const std::shared_ptr<BufferPool>& pool, const HeadsView& q, const HeadsView& k, const HeadsView& v,
            const AttentionShape& shape, float* out, float* first_query) {
  const int64_t keys = shape.keys;
  const int64_t head_dim = shape.head_dim;
  const int64_t out_stride = shape.heads * head_dim;
  const auto [blocks, rows] = CutQueries(shape.queries, keys, kBlockScores);
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));

  const Buffer scores = BufferPool::Take(pool, static_cast<size_t>(MaxThreads() * rows * keys) * sizeof(float));
  Buffer first_rows;
  if (first_query != nullptr) {
    first_rows = BufferPool::Take(pool, static_cast<size_t>(shape.batch * shape.heads * keys) * sizeof(float));
  }
  ParallelTasks(shape.batch * shape.heads * blocks, [&](int64_t task, int thread) {
    const int64_t block = task % blocks;
    const int64_t head = task / blocks % shape.heads;
    const int64_t image = task / blocks / shape.heads;
    const int64_t begin = block * rows;
    const int64_t count = std::min(rows, shape.queries - begin);
    if (count <= 0) return;
    const auto at = [&](const HeadsView& view, int64_t token) {
      return view.data + image * view.batch_stride + token * view.token_stride + head * view.head_stride;
    };
    float* const block_scores = scores.floats() + thread * rows * keys;
    float* const result = out + (image * shape.queries + begin) * out_stride + head * head_dim;
    dnnl_sgemm('N', 'T', count, keys, head_dim, scale, at(q, begin), q.token_stride, at(k, 0), k.token_stride, 0,
               block_scores, keys);
    float sums[kMostBlockRows];
    for (int64_t row = 0; row < count; ++row) {
      sums[row] = ExpOfRow(block_scores + row * keys, static_cast<size_t>(keys));
    }
    if (first_query != nullptr && begin == 0) {
      float* const first = first_rows.floats() + (image * shape.heads + head) * keys;
      std::memcpy(first, block_scores, static_cast<size_t>(keys) * sizeof(float));
      Scale(first, static_cast<size_t>(keys), 1 / sums[0]);
    }
    dnnl_sgemm('N', 'N', count, head_dim, keys, 1, block_scores, keys, at(v, 0), v.token_stride, 0, result, out_stride);
    for (int64_t row = 0; row < count; ++row) {
      Scale(result + row * out_stride, static_cast<size_t>(head_dim), 1 / sums[row]);
    }
  });
  if (first_query != nullptr) MeanOverHeads(first_rows.floats(), shape, first_query);
}

}  // namespace sightline::model::engine
