// Convolutions over (B, C, H, W): plain, with the norm and activation that follow, and standardised with SAME padding.
//
// In inference maps are channels-last; a caller may pass any layout.
#ifndef SIGHTLINE_MODEL_LAYERS_CONV_H_
#define SIGHTLINE_MODEL_LAYERS_CONV_H_

#include <memory>
#include <optional>

#include "model/layers/activation.h"
#include "model/layers/conv_shape.h"
#include "model/layers/layer.h"
#include "model/layers/norm.h"
#include "model/layers/planned_conv.h"

namespace sightline::model {

// Each filter standardised over its (in, k, k) values: (w - mean) / sqrt(var + 1e-8), biased variance.
torch::Tensor StandardiseFilters(const torch::Tensor& weight);

// Zero SAME padding in front of a convolution or, with -inf, of a max pool.
torch::Tensor PadSame(const torch::Tensor& x, int64_t kernel, int64_t stride, double value);

// Max pool 3x3 with stride 2 and one position of padding by -inf on every side: a map of ceil(n / 2) positions.
torch::Tensor MaxPoolPadded(const torch::Tensor& x);

// Max pool 3x3 with stride 2 and SAME padding by -inf.
torch::Tensor MaxPoolSame(const torch::Tensor& x);

// A convolution with the parameters "weight" (out, in / groups, k, k) and, if it has one, "bias".
class Conv : public Layer {
 public:
  explicit Conv(const ConvShape& shape);
  torch::Tensor Forward(const torch::Tensor& x, Activation activation = Activation::kNone) const;
  void Plan(const PlanOptions& options) override;

  const ConvShape& shape() const { return shape_; }
  const torch::Tensor& weight() const { return weight_; }
  const torch::Tensor& bias() const { return bias_; }  // undefined without one

  // Says that inference uses the weights by way of a ConvNorm: there is nothing to plan here.
  void LeaveToNorm() { left_to_norm_ = true; }

  // Takes the weights and the bias of a norm folded in, in `type`.
  void Settle(const torch::Tensor& weight, const torch::Tensor& bias, torch::ScalarType type);

 private:
  const ConvShape shape_;
  torch::Tensor weight_;
  torch::Tensor bias_;
  bool left_to_norm_ = false;
  std::optional<PlannedConv> planned_;
};

// A convolution and the batch norm behind it, wherever the two have their names. Inference folds the norm into the
// convolution. Not a layer itself: the one that owns both calls Plan from its own.
class ConvNorm {
 public:
  ConvNorm(std::shared_ptr<Conv> conv, std::shared_ptr<BatchNorm> norm);
  void Plan(const PlanOptions& options);

  // activation(norm(conv(x)))
  torch::Tensor Forward(const torch::Tensor& x, Activation activation = Activation::kNone) const;

  // relu(residual + norm(conv(x))), the end of a bottleneck. In inference the sum may be written into `residual`, which
  // is not to be read again.
  torch::Tensor AddToAndRelu(const torch::Tensor& residual, const torch::Tensor& x) const;

 private:
  std::shared_ptr<Conv> conv_;
  std::shared_ptr<BatchNorm> norm_;
  std::optional<PlannedConv> planned_;
  bool settled_ = false;  // the norm is in the convolution's own weights
};

// A convolution under the name "conv" and its norm under "bn".
class ConvBn : public Layer {
 public:
  explicit ConvBn(const ConvShape& shape);
  torch::Tensor Forward(const torch::Tensor& x, Activation activation = Activation::kNone) const {
    return folded_.Forward(x, activation);
  }
  void Plan(const PlanOptions& options) override { folded_.Plan(options); }

 private:
  ConvNorm folded_;
};

// Standardised weights, SAME padding, no bias: (B, in, H, W) -> (B, out, ceil(H / stride), ceil(W / stride)).
class StdConv : public Layer {
 public:
  StdConv(int64_t in, int64_t out, int64_t kernel, int64_t stride);
  torch::Tensor Forward(const torch::Tensor& x) const;
  void Plan(const PlanOptions& options) override;

 private:
  const ConvShape shape_;
  torch::Tensor weight_;
  std::optional<PlannedConv> planned_;
  bool settled_ = false;  // weight_ is standardised
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_CONV_H_
