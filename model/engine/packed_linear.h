// PackedLinear: y = activation(x W^T + b) with weights laid out once as oneDNN's matrix product wants them.
//
// Threading: one thread at a time; the work is spread over that thread's OpenMP threads. Ownership: weights are copied.
// Failure: a std::exception of oneDNN's.
//
//   const PackedLinear linear(pool, weight, bias, 768, 3072);
//   linear.Forward(x, rows, Activation::kGelu, y);
#ifndef SIGHTLINE_MODEL_ENGINE_PACKED_LINEAR_H_
#define SIGHTLINE_MODEL_ENGINE_PACKED_LINEAR_H_

#include <cstdint>
#include <memory>

#include "model/engine/activation.h"
#include "model/engine/buffers.h"

namespace sightline::model::engine {

class PackedLinear {
 public:
  // `weight` (out, in) row by row; `bias` (out), or null.
  PackedLinear(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias, int64_t in, int64_t out);
  PackedLinear(PackedLinear&&) noexcept;
  PackedLinear& operator=(PackedLinear&&) noexcept;
  ~PackedLinear();

  // x (rows, in) -> y (rows, out), both without gaps.
  void Forward(const float* x, int64_t rows, Activation activation, float* y) const;

  // y = activation(y + x W^T + b)
  void AddTo(const float* x, int64_t rows, Activation activation, float* y) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_PACKED_LINEAR_H_
