#include "model/layers/norm.h"

#include "model/engine/group_norm.h"
#include "model/engine/layer_norm.h"

namespace sightline::model {
namespace {

// Norms compute in the type of their parameters, float32, also between layers that compute in a shorter one.

constexpr double kGroupNormEpsilon = 1e-5;

}  // namespace

torch::Tensor L2(const torch::Tensor& x) { return x / torch::clamp_min(x.norm(2, -1, /*keepdim=*/true), 1e-12); }

LayerNorm::LayerNorm(int64_t dim, double epsilon)
    : epsilon_(epsilon),
      weight_(register_parameter("weight", torch::ones({dim}))),
      bias_(register_parameter("bias", torch::zeros({dim}))) {}

torch::Tensor LayerNorm::Forward(const torch::Tensor& x) const {
  if (buffers_ != nullptr && !is_training() && IsPlain(x)) {
    const torch::Tensor rows = x.contiguous();
    const torch::Tensor y = Borrow(buffers_, x.sizes());
    const int64_t dim = weight_.size(0);
    engine::LayerNorm(rows.data_ptr<float>(), rows.numel() / dim, dim, weight_.data_ptr<float>(),
                      bias_.data_ptr<float>(), static_cast<float>(epsilon_), y.data_ptr<float>());
    return y;
  }
  return torch::layer_norm(x.to(weight_.scalar_type()), weight_.sizes(), weight_, bias_, epsilon_);
}

GroupNorm::GroupNorm(int64_t groups, int64_t channels)
    : groups_(groups),
      weight_(register_parameter("weight", torch::ones({channels}))),
      bias_(register_parameter("bias", torch::zeros({channels}))) {}

bool GroupNorm::IsFast(const torch::Tensor& x) const {
  return buffers_ != nullptr && !is_training() && IsPlain(x) && x.dim() == 4 &&
         x.is_contiguous(torch::MemoryFormat::ChannelsLast);
}

torch::Tensor GroupNorm::InPlace(const torch::Tensor& x, const torch::Tensor* residual, bool relu) const {
  float* const values = x.data_ptr<float>();
  engine::GroupNorm(buffers_, values,
                    {.batch = x.size(0), .pixels = x.size(2) * x.size(3), .channels = x.size(1), .groups = groups_},
                    weight_.data_ptr<float>(), bias_.data_ptr<float>(), static_cast<float>(kGroupNormEpsilon),
                    residual == nullptr ? nullptr : residual->data_ptr<float>(), relu, values);
  return x;
}

torch::Tensor GroupNorm::Forward(const torch::Tensor& x, Activation activation) const {
  const bool relu = activation == Activation::kRelu;
  if (IsFast(x)) return Activate(InPlace(x, nullptr, relu), relu ? Activation::kNone : activation);
  const torch::Tensor y = x.to(weight_.scalar_type());
  return Activate(torch::group_norm(y, groups_, weight_, bias_, kGroupNormEpsilon), activation);
}

torch::Tensor GroupNorm::AddToAndRelu(const torch::Tensor& residual, const torch::Tensor& x) const {
  if (IsFast(x) && residual.is_contiguous(torch::MemoryFormat::ChannelsLast)) return InPlace(x, &residual, true);
  return torch::relu(residual + Forward(x));
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
  return torch::batch_norm(x.to(weight_.scalar_type()), weight_, bias_, running_mean_, running_var_, is_training(),
                           kMomentum, kEpsilon,
                           /*cudnn_enabled=*/true);
}

torch::Tensor BatchNorm::Scale() const { return weight_ / torch::sqrt(running_var_ + kEpsilon); }
torch::Tensor BatchNorm::Shift() const { return bias_ - running_mean_ * Scale(); }

}  // namespace sightline::model
