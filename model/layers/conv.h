// Convolutions over (B, C, H, W): standardised with SAME padding (the hybrid's stages), and plain with batch norm.
#ifndef SIGHTLINE_MODEL_LAYERS_CONV_H_
#define SIGHTLINE_MODEL_LAYERS_CONV_H_

#include <memory>

#include "model/layers/layer.h"
#include "model/layers/norm.h"

namespace sightline::model {

// Each filter standardised over its (in, k, k) values: (w - mean) / sqrt(var + 1e-8), biased variance.
torch::Tensor StandardiseFilters(const torch::Tensor& weight);

// Zero SAME padding in front of a convolution or, with -inf, of a max pool.
torch::Tensor PadSame(const torch::Tensor& x, int64_t kernel, int64_t stride, double value);

// Max pool 3x3 with stride 2 and SAME padding by -inf.
torch::Tensor MaxPoolSame(const torch::Tensor& x);

// Standardised weights, SAME padding, no bias: (B, in, H, W) -> (B, out, ceil(H / stride), ceil(W / stride)).
class StdConv : public Layer {
 public:
  StdConv(int64_t in, int64_t out, int64_t kernel, int64_t stride);
  torch::Tensor Forward(const torch::Tensor& x) const;
  void Plan() override;

 private:
  const int64_t kernel_;
  const int64_t stride_;
  torch::Tensor weight_;
  torch::Tensor planned_weight_;
};

// A convolution's weight under the name "conv", so that keys read "conv.weight"; used through ConvBn.
class ConvWeight : public Layer {
 public:
  ConvWeight(int64_t out, int64_t in_per_group, int64_t kernel)
      : weight(register_parameter("weight", torch::empty({out, in_per_group, kernel, kernel}))) {}
  torch::Tensor weight;
};

// Convolution without bias, then batch norm; stride 1, padding keeps the size. Inference folds the norm into the
// convolution.
class ConvBn : public Layer {
 public:
  struct Shape {
    int64_t in = 0;
    int64_t out = 0;
    int64_t kernel = 1;
    int64_t dilation = 1;
    int64_t groups = 1;
  };
  explicit ConvBn(const Shape& shape);
  torch::Tensor Forward(const torch::Tensor& x) const;
  void Plan() override;

 private:
  const Shape shape_;
  std::shared_ptr<ConvWeight> conv_;
  std::shared_ptr<BatchNorm> bn_;
  torch::Tensor planned_weight_;
  torch::Tensor planned_bias_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_CONV_H_
