#include "model/head/shared_map.h"

namespace sightline::model {

LinearHead::LinearHead(const LinearConfig& config, int64_t dim)
    : fc_(register_module("fc", std::make_shared<Linear>(dim, config.dim))) {}

torch::Tensor LinearHead::Forward(const Features& features) { return fc_->Forward(Centre(features)); }

torch::Tensor LinearHead::ProjectTokens(const torch::Tensor& x) const { return fc_->Forward(x); }

DimlHead::DimlHead(const DimlConfig& config, int64_t dim)
    : last_linear_(register_module("last_linear", std::make_shared<Conv>(ConvShape{.in = dim, .out = config.dim}))) {}

torch::Tensor DimlHead::Forward(const Features& features) {
  return last_linear_->Forward(LastMap(features).mean({2, 3}, /*keepdim=*/true)).flatten(1);
}

torch::Tensor DimlHead::ProjectTokens(const torch::Tensor& x) const {
  // (..., C) as the positions of one map.
  const torch::Tensor map = x.reshape({1, -1, 1, x.size(-1)}).permute({0, 3, 1, 2});
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = last_linear_->shape().out;
  return last_linear_->Forward(map).permute({0, 2, 3, 1}).reshape(shape);
}

}  // namespace sightline::model
