#include "model/layers/norm.h"

namespace sightline::model {

torch::Tensor L2(const torch::Tensor& x) { return x / torch::clamp_min(x.norm(2, -1, /*keepdim=*/true), 1e-12); }

LayerNorm::LayerNorm(int64_t dim, double epsilon)
    : epsilon_(epsilon),
      weight_(register_parameter("weight", torch::ones({dim}))),
      bias_(register_parameter("bias", torch::zeros({dim}))) {}

torch::Tensor LayerNorm::Forward(const torch::Tensor& x) const {
  return torch::layer_norm(x, weight_.sizes(), weight_, bias_, epsilon_);
}

GroupNorm::GroupNorm(int64_t groups, int64_t channels)
    : groups_(groups),
      weight_(register_parameter("weight", torch::ones({channels}))),
      bias_(register_parameter("bias", torch::zeros({channels}))) {}

torch::Tensor GroupNorm::Forward(const torch::Tensor& x, Activation activation) const {
  constexpr double kEpsilon = 1e-5;
  return Activate(torch::group_norm(x, groups_, weight_, bias_, kEpsilon), activation);
}

BatchNorm::BatchNorm(int64_t channels)
    : weight_(register_parameter("weight", torch::ones({channels}))),
      bias_(register_parameter("bias", torch::zeros({channels}))),
      running_mean_(register_buffer("running_mean", torch::zeros({channels}))),
      running_var_(register_buffer("running_var", torch::ones({channels}))),
      num_batches_tracked_(register_buffer("num_batches_tracked", torch::zeros({}, torch::kLong))) {}

torch::Tensor BatchNorm::Forward(const torch::Tensor& x) {
  constexpr double kMomentum = 0.1;
  if (is_training()) num_batches_tracked_.add_(1);
  return torch::batch_norm(x, weight_, bias_, running_mean_, running_var_, is_training(), kMomentum, kEpsilon,
                           /*cudnn_enabled=*/true);
}

torch::Tensor BatchNorm::Scale() const { return weight_ / torch::sqrt(running_var_ + kEpsilon); }
torch::Tensor BatchNorm::Shift() const { return bias_ - running_mean_ * Scale(); }

}  // namespace sightline::model
