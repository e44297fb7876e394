// LinearMap: y = activation(x W^T + b) with weights laid out once, in floats or in bytes.
//
// Threading: one thread at a time; the work is spread over that thread's OpenMP threads. Ownership: weights are copied.
// Failure: a std::exception of oneDNN's.
//
//   const std::unique_ptr<LinearMap> linear = PackLinear(pool, weight, bias, 768, 3072);
//   linear->Forward(x, 197, Activation::kGelu, y);
#ifndef SIGHTLINE_MODEL_ENGINE_LINEAR_MAP_H_
#define SIGHTLINE_MODEL_ENGINE_LINEAR_MAP_H_

#include <cstdint>
#include <memory>

#include "model/engine/buffers.h"
#include "model/engine/epilogue.h"

namespace sightline::model::engine {

class LinearMap {
 public:
  virtual ~LinearMap() = default;

  // x (rows, in) -> y (rows, out), both without gaps.
  void Forward(const float* x, int64_t rows, Activation activation, float* y) {
    Run(x, rows, {.activation = activation, .add = false}, y);
  }

  // y = activation(y + x W^T + b)
  void AddTo(const float* x, int64_t rows, Activation activation, float* y) {
    Run(x, rows, {.activation = activation, .add = true}, y);
  }

 private:
  virtual void Run(const float* x, int64_t rows, const Epilogue& epilogue, float* y) = 0;
};

// `weight` (out, in) row by row; `bias` (out), or null.
std::unique_ptr<LinearMap> PackLinear(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias,
                                      int64_t in, int64_t out);

// With integer products: weights as bytes with one scale for each output, made once; each row of x as bytes with a
// scale of its own, made when it comes (see int8_rows.h). Nothing is calibrated. A row with a NaN or an infinity gives
// NaN. Only for machines where HasInt8(), and for at most kMostInt8Inputs inputs: sums of products are exact, and in *
// 255 * 127 must stay below 2^31.
inline constexpr int64_t kMostInt8Inputs = 65536;
std::unique_ptr<LinearMap> PackInt8Linear(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias,
                                          int64_t in, int64_t out);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_LINEAR_MAP_H_
