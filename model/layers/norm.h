// Normalisations: LayerNorm over tokens, GroupNorm and BatchNorm over channels.
#ifndef SIGHTLINE_MODEL_LAYERS_NORM_H_
#define SIGHTLINE_MODEL_LAYERS_NORM_H_

#include <memory>

#include "model/layers/activation.h"
#include "model/layers/layer.h"

namespace sightline::model {

// x / max(|x|, 1e-12), norms over the last dimension.
torch::Tensor L2(const torch::Tensor& x);

// (x - mean) / sqrt(var + epsilon) * weight + bias over the last dimension, biased variance. The default epsilon is the
// one the public ViT weights were trained with, not LibTorch's.
class LayerNorm : public Layer {
 public:
  explicit LayerNorm(int64_t dim, double epsilon = 1e-6);
  torch::Tensor Forward(const torch::Tensor& x) const;
  void Plan(const PlanOptions& options) override { buffers_ = options.buffers; }

 private:
  const double epsilon_;
  torch::Tensor weight_;
  torch::Tensor bias_;
  std::shared_ptr<engine::BufferPool> buffers_;
};

// Over (B, C, H, W), epsilon 1e-5.
class GroupNorm : public Layer {
 public:
  GroupNorm(int64_t groups, int64_t channels);

  // activation(norm(x)). In inference the result may be written into `x`, which is not to be read again.
  torch::Tensor Forward(const torch::Tensor& x, Activation activation = Activation::kNone) const;

  // relu(residual + norm(x)), the end of a bottleneck. In inference it may be written into `x`, which is not to be read
  // again.
  torch::Tensor AddToAndRelu(const torch::Tensor& residual, const torch::Tensor& x) const;

  void Plan(const PlanOptions& options) override { buffers_ = options.buffers; }

 private:
  // Whether the engine computes this: a channels-last map that may be written to.
  bool IsFast(const torch::Tensor& x) const;
  torch::Tensor InPlace(const torch::Tensor& x, const torch::Tensor* residual, bool relu) const;

  const int64_t groups_;
  torch::Tensor weight_;
  torch::Tensor bias_;
  std::shared_ptr<engine::BufferPool> buffers_;
};

// (B, C) or (B, C, H, W), epsilon 1e-5, momentum 0.1; running statistics in evaluation mode.
class BatchNorm : public Layer {
 public:
  static constexpr double kEpsilon = 1e-5;

  explicit BatchNorm(int64_t channels);
  torch::Tensor Forward(const torch::Tensor& x);

  // In evaluation mode the norm is x * Scale() + Shift(), per channel.
  torch::Tensor Scale() const;
  torch::Tensor Shift() const;

 private:
  torch::Tensor weight_;
  torch::Tensor bias_;
  torch::Tensor running_mean_;
  torch::Tensor running_var_;
  torch::Tensor num_batches_tracked_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_NORM_H_
