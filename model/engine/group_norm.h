// Group normalisation of channels-last maps: one pass for the statistics, one that applies them together with what
// follows.
//
// Threading: one thread at a time; pixels are spread over that thread's OpenMP threads. Ownership: nothing is kept.
// Failure: std::bad_alloc.
#ifndef SIGHTLINE_MODEL_ENGINE_GROUP_NORM_H_
#define SIGHTLINE_MODEL_ENGINE_GROUP_NORM_H_

#include <cstdint>
#include <memory>

#include "model/engine/buffers.h"

namespace sightline::model::engine {

// `channels` is a multiple of `groups`.
struct GroupNormShape {
  int64_t batch = 0;
  int64_t pixels = 0;
  int64_t channels = 0;
  int64_t groups = 0;
};

// x (batch, pixels, channels) -> y = (x - mean) / sqrt(var + epsilon) * weight + bias with the statistics of each image
// and group of channels, biased variance; plus `residual`, if not null; then ReLU, if `relu`. y may be x or `residual`.
void GroupNorm(const std::shared_ptr<BufferPool>& pool, const float* x, const GroupNormShape& shape,
               const float* weight, const float* bias, float epsilon, const float* residual, bool relu, float* y);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_GROUP_NORM_H_
