// AttendWindows: softmax(q k^T / sqrt(d) + bias + mask) v for many small windows and heads; the scores of one window
// and head stay in a core's first-level cache.
//
// Threading: one thread at a time; windows are spread over that thread's OpenMP threads. Ownership: nothing is kept.
// Failure: std::bad_alloc.
#ifndef SIGHTLINE_MODEL_ENGINE_WINDOW_CORE_H_
#define SIGHTLINE_MODEL_ENGINE_WINDOW_CORE_H_

#include <cstdint>
#include <memory>

#include "model/engine/buffers.h"

namespace sightline::model::engine {

struct WindowShape {
  int64_t windows = 0;  // of one image
  int64_t batch = 0;
  int64_t cells = 0;  // of a window
  int64_t heads = 0;
  int64_t head_dim = 0;
};

// `qkv` (windows, batch, cells, 3, heads, head_dim), `bias` (heads, cells, cells), `mask` (windows, cells, cells) or
// null, `out` (windows, batch, cells, heads, head_dim), all without gaps.
void AttendWindows(const std::shared_ptr<BufferPool>& pool, const float* qkv, const float* bias, const float* mask,
                   const WindowShape& shape, float* out);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_WINDOW_CORE_H_
