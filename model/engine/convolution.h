// Convolution: a convolution with what follows it fused, its weights laid out once, in floats or in bytes.
//
// Maps lie channels-last: (batch, height, width, channels) without gaps. oneDNN's blocked layout is 3 to 8 % faster in
// the first stages of a ResNet and no faster in the others, and nothing but a convolution could read it.
//
// Threading: one thread at a time; the work is spread over that thread's OpenMP threads. Ownership: weights are copied.
// Failure: a std::exception of oneDNN's.
//
//   const std::unique_ptr<Convolution> conv = PackConv(pool, weight, bias, {.in = 64, .out = 64, .kernel = 3});
//   conv->Forward(x, {.batch = 1, .height = 96, .width = 96, .top = 1, .left = 1, .bottom = 1, .right = 1}, {}, y);
#ifndef SIGHTLINE_MODEL_ENGINE_CONVOLUTION_H_
#define SIGHTLINE_MODEL_ENGINE_CONVOLUTION_H_

#include <cstdint>
#include <memory>

#include "model/engine/buffers.h"
#include "model/engine/epilogue.h"

namespace sightline::model::engine {

// Square kernels, the same on both axes.
struct ConvGeometry {
  int64_t in = 0;
  int64_t out = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t groups = 1;
};

// Positions of an output along one side.
inline int64_t OutSize(const ConvGeometry& g, int64_t size, int64_t padding) {
  return (size + padding - g.dilation * (g.kernel - 1) - 1) / g.stride + 1;
}

struct ConvInput {
  int64_t batch = 0;
  int64_t height = 0;
  int64_t width = 0;
  // Rows and columns of zeros around the map.
  int64_t top = 0;
  int64_t left = 0;
  int64_t bottom = 0;
  int64_t right = 0;
  bool operator==(const ConvInput&) const = default;
};

class Convolution {
 public:
  explicit Convolution(const ConvGeometry& geometry) : geometry_(geometry) {}
  virtual ~Convolution() = default;

  int64_t OutHeight(const ConvInput& input) const { return OutSize(geometry_, input.height, input.top + input.bottom); }
  int64_t OutWidth(const ConvInput& input) const { return OutSize(geometry_, input.width, input.left + input.right); }

  // y (batch, OutHeight, OutWidth, out) = activation(conv(x) + b)
  void Forward(const float* x, const ConvInput& input, Activation activation, float* y) {
    Run(x, input, {.activation = activation, .add = false}, y);
  }

  // y = activation(y + conv(x) + b)
  void AddTo(const float* x, const ConvInput& input, Activation activation, float* y) {
    Run(x, input, {.activation = activation, .add = true}, y);
  }

 protected:
  const ConvGeometry& geometry() const { return geometry_; }

 private:
  virtual void Run(const float* x, const ConvInput& input, const Epilogue& epilogue, float* y) = 0;

  const ConvGeometry geometry_;
};

// `weight` (out, in / groups, kernel, kernel) row by row; `bias` (out), or null.
std::unique_ptr<Convolution> PackConv(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias,
                                      const ConvGeometry& geometry);

// x is round(x / scale) * scale, cut off at 255 * scale, and at 0 from below; or, if `is_signed`, at 127 on both sides.
struct InputCode {
  float scale = 1;
  bool is_signed = false;
};

// With integer products: weights as bytes with one scale for each output, the input as bytes with one scale that a
// calibration found. One group only; NaN in x counts as 0. Only for machines where HasInt8().
std::unique_ptr<Convolution> PackInt8Conv(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias,
                                          const ConvGeometry& geometry, const InputCode& code);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_CONVOLUTION_H_
