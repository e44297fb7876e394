#include "model/engine/max_pool.h"

#include <algorithm>
#include <cstddef>

#include "model/engine/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/max_pool.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sightline::model::engine::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// The largest of `rows` x `columns` pixels, each of `channels` values, rows `row_stride` values apart.
void MaxOfWindow(const float* HWY_RESTRICT x, size_t rows, size_t columns, size_t row_stride, size_t channels,
                 float* HWY_RESTRICT y) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  size_t c = 0;
  for (; c + lanes <= channels; c += lanes) {
    auto largest = hn::LoadU(d, x + c);
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < columns; ++j) {
        largest = hn::Max(largest, hn::LoadU(d, x + i * row_stride + j * channels + c));
      }
    }
    hn::StoreU(largest, d, y + c);
  }
  for (; c < channels; ++c) {
    y[c] = x[c];
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < columns; ++j) y[c] = std::max(y[c], x[i * row_stride + j * channels + c]);
    }
  }
}

}  // namespace sightline::model::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::model::engine {

HWY_EXPORT(MaxOfWindow);

void MaxPool(const float* x, const PoolShape& shape, float* y) {
  const auto max_of_window = HWY_DYNAMIC_DISPATCH(MaxOfWindow);
  const int64_t row_stride = shape.width * shape.channels;
  ParallelTasks(shape.batch * shape.out_height, [&](int64_t task, int) {
    const int64_t top = task % shape.out_height * 2 - shape.top;
    const int64_t first_row = std::max<int64_t>(top, 0);
    const int64_t last_row = std::min(top + 3, shape.height);
    const float* const rows = x + (task / shape.out_height * shape.height + first_row) * row_stride;
    float* out = y + task * shape.out_width * shape.channels;
    for (int64_t j = 0; j < shape.out_width; ++j, out += shape.channels) {
      const int64_t first = std::max<int64_t>(2 * j - shape.left, 0);
      const int64_t last = std::min(2 * j - shape.left + 3, shape.width);
      max_of_window(rows + first * shape.channels, static_cast<size_t>(last_row - first_row),
                    static_cast<size_t>(last - first), static_cast<size_t>(row_stride),
                    static_cast<size_t>(shape.channels), out);
    }
  });
}

}  // namespace sightline::model::engine

#endif  // HWY_ONCE
