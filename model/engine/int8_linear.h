// Int8Linear: y = activation(x W^T + b) with integer products: weights as bytes with one scale for each output, made
// once; each row of x as bytes with a scale of its own, made when it comes (see int8_rows.h). Nothing is calibrated.
//
// Sums of products are exact: in * 255 * 127 must stay below 2^31, which holds up to 65,536 inputs.
//
// Threading: one thread at a time; the work is spread over that thread's OpenMP threads. Ownership: weights are copied.
// Failure: a std::exception of oneDNN's. Only for machines where HasInt8().
//
//   const Int8Linear linear(pool, weight, bias, 768, 3072);
//   linear.Forward(x, rows, Activation::kGelu, y);
#ifndef SIGHTLINE_MODEL_ENGINE_INT8_LINEAR_H_
#define SIGHTLINE_MODEL_ENGINE_INT8_LINEAR_H_

#include <cstdint>
#include <memory>

#include "model/engine/activation.h"
#include "model/engine/buffers.h"

namespace sightline::model::engine {

class Int8Linear {
 public:
  static constexpr int64_t kMostInputs = 65536;

  // `weight` (out, in) row by row; `bias` (out), or null.
  Int8Linear(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias, int64_t in, int64_t out);
  Int8Linear(Int8Linear&&) noexcept;
  Int8Linear& operator=(Int8Linear&&) noexcept;
  ~Int8Linear();

  // x (rows, in) -> y (rows, out), both without gaps. A row with a NaN or an infinity gives NaN.
  void Forward(const float* x, int64_t rows, Activation activation, float* y) const;

  // y = activation(y + x W^T + b)
  void AddTo(const float* x, int64_t rows, Activation activation, float* y) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_INT8_LINEAR_H_
