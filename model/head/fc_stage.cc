#include "model/head/fc_stage.h"

namespace sightline::model {

torch::Tensor L2Plus(const torch::Tensor& x) {
  constexpr double kEpsilon = 1e-6;
  return x / (x.norm(2, -1, /*keepdim=*/true) + kEpsilon);
}

FcStage::FcStage(Layer& owner, const std::optional<FcConfig>& config, int64_t in) {
  if (!config.has_value()) return;
  l2_before_ = config->l2_before;
  fc_ = owner.register_module("fc", std::make_shared<Linear>(in, config->dim, config->bias));
  if (config->bn) bn_ = owner.register_module("bn", std::make_shared<BatchNorm>(config->dim));
}

torch::Tensor FcStage::Forward(const torch::Tensor& x) const {
  if (fc_ == nullptr) return x;
  torch::Tensor in = l2_before_ ? L2Plus(x) : x;
  if (fc_->is_training() && dropout_ > 0) in = torch::dropout(in, dropout_, /*train=*/true);
  const torch::Tensor mapped = fc_->Forward(in);
  return bn_ == nullptr ? mapped : bn_->Forward(mapped);
}

}  // namespace sightline::model
