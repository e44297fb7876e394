#include "model/engine/group_norm.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "model/engine/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/group_norm.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sightline::model::engine::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// Adds to sums[c] and squares[c] what lies between the pixels' values and shift[c], of each channel.
void AddMoments(const float* HWY_RESTRICT x, size_t pixels, size_t channels, const float* HWY_RESTRICT shift,
                float* HWY_RESTRICT sums, float* HWY_RESTRICT squares) {
  // So many pixels for one loading and storing of the sums.
  constexpr size_t kAtOnce = 8;
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t first = 0; first < pixels; first += kAtOnce, x += kAtOnce * channels) {
    const size_t count = std::min(kAtOnce, pixels - first);
    size_t c = 0;
    for (; c + lanes <= channels; c += lanes) {
      const auto offset = hn::LoadU(d, shift + c);
      auto sum = hn::LoadU(d, sums + c);
      auto square = hn::LoadU(d, squares + c);
      for (size_t p = 0; p < count; ++p) {
        const auto value = hn::Sub(hn::LoadU(d, x + p * channels + c), offset);
        sum = hn::Add(sum, value);
        square = hn::MulAdd(value, value, square);
      }
      hn::StoreU(sum, d, sums + c);
      hn::StoreU(square, d, squares + c);
    }
    for (; c < channels; ++c) {
      for (size_t p = 0; p < count; ++p) {
        const float value = x[p * channels + c] - shift[c];
        sums[c] += value;
        squares[c] += value * value;
      }
    }
  }
}

template <bool kResidual, bool kRelu>
HWY_INLINE void ApplyToPixels(const float* x, size_t pixels, size_t channels, const float* mean, const float* factor,
                              const float* bias, const float* residual, float* y) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t p = 0; p < pixels; ++p, x += channels, y += channels) {
    size_t c = 0;
    for (; c + lanes <= channels; c += lanes) {
      const auto centred = hn::Sub(hn::LoadU(d, x + c), hn::LoadU(d, mean + c));
      auto value = hn::MulAdd(centred, hn::LoadU(d, factor + c), hn::LoadU(d, bias + c));
      if (kResidual) value = hn::Add(value, hn::LoadU(d, residual + c));
      if (kRelu) value = hn::Max(value, hn::Zero(d));
      hn::StoreU(value, d, y + c);
    }
    for (; c < channels; ++c) {
      float value = (x[c] - mean[c]) * factor[c] + bias[c];
      if (kResidual) value += residual[c];
      y[c] = kRelu && value < 0 ? 0 : value;
    }
    if (kResidual) residual += channels;
  }
}

// y = (x - mean) * factor + bias, plus the residual if there is one, then ReLU if asked for.
void Apply(const float* x, size_t pixels, size_t channels, const float* mean, const float* factor, const float* bias,
           const float* residual, bool relu, float* y) {
  if (residual != nullptr && relu) {
    ApplyToPixels<true, true>(x, pixels, channels, mean, factor, bias, residual, y);
  } else if (residual != nullptr) {
    ApplyToPixels<true, false>(x, pixels, channels, mean, factor, bias, residual, y);
  } else if (relu) {
    ApplyToPixels<false, true>(x, pixels, channels, mean, factor, bias, residual, y);
  } else {
    ApplyToPixels<false, false>(x, pixels, channels, mean, factor, bias, residual, y);
  }
}

}  // namespace sightline::model::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::model::engine {

HWY_EXPORT(AddMoments);
HWY_EXPORT(Apply);

namespace {

// What one thread takes at a time: a few hundred KiB, so that a chunk is still in the cache when it is summed up.
constexpr int64_t kPixelsOfATask = 128;

// Sums of one image and channel around the value of its first pixel: without that shift, the variance of a channel far
// from zero would be the small difference of two large numbers.
struct Moments {
  double sum = 0;
  double square = 0;
};

// From moments (batch, channels) to y = (x - mean) * factor + bias, both (batch, channels).
void Solve(const std::vector<Moments>& moments, const float* x, const GroupNormShape& shape, const float* weight,
           float epsilon, float* means, float* factors) {
  const int64_t width = shape.channels / shape.groups;
  const auto pixels = static_cast<double>(shape.pixels);
  for (int64_t b = 0; b < shape.batch; ++b) {
    const float* const shift = x + b * shape.pixels * shape.channels;
    const Moments* const image = moments.data() + b * shape.channels;
    for (int64_t first = 0; first < shape.channels; first += width) {
      double mean = 0;
      for (int64_t c = first; c < first + width; ++c) mean += shift[c] + image[c].sum / pixels;
      mean /= static_cast<double>(width);
      double square = 0;  // sum of (x - mean)^2 over the group
      for (int64_t c = first; c < first + width; ++c) {
        const double own = shift[c] + image[c].sum / pixels - mean;
        square += image[c].square - image[c].sum * image[c].sum / pixels + pixels * own * own;
      }
      const double variance = std::max(square, 0.0) / (pixels * static_cast<double>(width));
      const double scale = 1 / std::sqrt(variance + static_cast<double>(epsilon));
      for (int64_t c = first; c < first + width; ++c) {
        means[b * shape.channels + c] = static_cast<float>(mean);
        factors[b * shape.channels + c] = static_cast<float>(scale * weight[c]);
      }
    }
  }
}

}  // namespace

void GroupNorm(const std::shared_ptr<BufferPool>& pool, const float* x, const GroupNormShape& shape,
               const float* weight, const float* bias, float epsilon, const float* residual, bool relu, float* y) {
  const int64_t channels = shape.channels;
  const int64_t image_values = shape.pixels * channels;
  const int64_t chunks = (shape.pixels + kPixelsOfATask - 1) / kPixelsOfATask;
  const auto all = static_cast<size_t>(shape.batch * channels);
  const auto width = static_cast<size_t>(channels);

  // Every chunk has sums of its own, added up in their order: the result does not depend on the threads.
  const Buffer partial = BufferPool::Take(pool, static_cast<size_t>(shape.batch * chunks) * 2 * width * sizeof(float));
  const auto add_moments = HWY_DYNAMIC_DISPATCH(AddMoments);
  ParallelTasks(shape.batch * chunks, [&](int64_t task, int) {
    const int64_t first = task % chunks * kPixelsOfATask;
    const float* const image = x + task / chunks * image_values;
    float* const sums = partial.floats() + static_cast<size_t>(task) * 2 * width;
    std::fill_n(sums, 2 * width, 0.0f);
    add_moments(image + first * channels, static_cast<size_t>(std::min(kPixelsOfATask, shape.pixels - first)), width,
                image, sums, sums + width);
  });
  std::vector<Moments> moments(all);
  for (int64_t task = 0; task < shape.batch * chunks; ++task) {
    const float* const sums = partial.floats() + static_cast<size_t>(task) * 2 * width;
    Moments* const image = moments.data() + static_cast<size_t>(task / chunks) * width;
    for (size_t c = 0; c < width; ++c) {
      image[c].sum += sums[c];
      image[c].square += sums[width + c];
    }
  }
  const Buffer solved = BufferPool::Take(pool, 2 * all * sizeof(float));
  float* const means = solved.floats();
  float* const factors = means + all;
  Solve(moments, x, shape, weight, epsilon, means, factors);

  const auto apply = HWY_DYNAMIC_DISPATCH(Apply);
  // The other way round: the end of the map was read last and is still in the cache.
  ParallelTasks(shape.batch * chunks, [&](int64_t task, int) {
    const int64_t chunk = shape.batch * chunks - 1 - task;
    const int64_t image = chunk / chunks;
    const int64_t first = chunk % chunks * kPixelsOfATask;
    const int64_t begin = image * image_values + first * channels;
    apply(x + begin, static_cast<size_t>(std::min(kPixelsOfATask, shape.pixels - first)), width,
          means + image * channels, factors + image * channels, bias, residual == nullptr ? nullptr : residual + begin,
          relu, y + begin);
  });
}

}  // namespace sightline::model::engine

#endif  // HWY_ONCE
