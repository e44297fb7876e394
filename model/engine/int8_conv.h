// Int8Conv: a convolution with integer products: weights as bytes with one scale for each output, the input as bytes
// with one scale that a calibration found, the result in floats with what follows fused.
//
// Maps lie channels-last, as in packed_conv.h. Convolutions in groups are not offered.
//
// Threading: one thread at a time; the work is spread over that thread's OpenMP threads. Ownership: weights are copied.
// Failure: a std::exception of oneDNN's. Only for machines where HasInt8().
//
//   const Int8Conv conv(pool, weight, bias, {.in = 64, .out = 64, .kernel = 3}, {.scale = 0.02f, .is_signed = false});
//   conv.Forward(x, {.batch = 1, .height = 96, .width = 96, .top = 1, .left = 1, .bottom = 1, .right = 1}, {}, y);
#ifndef SIGHTLINE_MODEL_ENGINE_INT8_CONV_H_
#define SIGHTLINE_MODEL_ENGINE_INT8_CONV_H_

#include <cstdint>
#include <memory>

#include "model/engine/activation.h"
#include "model/engine/buffers.h"
#include "model/engine/packed_conv.h"

namespace sightline::model::engine {

// x is round(x / scale) * scale, cut off at 255 * scale, and at 0 from below; or, if `is_signed`, at 127 on both sides.
struct InputCode {
  float scale = 1;
  bool is_signed = false;
};

class Int8Conv {
 public:
  // `weight` (out, in, kernel, kernel) row by row; `bias` (out), or null; one group.
  Int8Conv(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias, const ConvGeometry& geometry,
           const InputCode& code);
  Int8Conv(Int8Conv&&) noexcept;
  Int8Conv& operator=(Int8Conv&&) noexcept;
  ~Int8Conv();

  int64_t OutHeight(const ConvInput& input) const;
  int64_t OutWidth(const ConvInput& input) const;

  // y (batch, OutHeight, OutWidth, out) = activation(conv(x) + b); `input` is not planar. NaN in x counts as 0.
  void Forward(const float* x, const ConvInput& input, Activation activation, float* y) const;

  // y = activation(y + conv(x) + b)
  void AddTo(const float* x, const ConvInput& input, Activation activation, float* y) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_INT8_CONV_H_
