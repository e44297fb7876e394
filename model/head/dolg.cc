#include "model/head/dolg.h"

#include <string>

#include "model/layers/norm.h"

namespace sightline::model {

DolgAspp::DolgAspp(int64_t in, int64_t width, int64_t out) {
  // The published names count the members of sequences, of which only convolutions hold values.
  const auto branches = register_module("aspp", std::make_shared<Layer>());
  branches_.push_back(branches->register_module("0", std::make_shared<Conv>(ConvShape{.in = in, .out = width})));
  for (const int64_t dilation : {6, 12, 18}) {
    const ConvShape shape{.in = in, .out = width, .kernel = 3, .padding = dilation, .dilation = dilation};
    branches_.push_back(branches->register_module(std::to_string(branches_.size()), std::make_shared<Conv>(shape)));
  }
  const auto im_pool = register_module("im_pool", std::make_shared<Layer>());
  im_pool_ = im_pool->register_module("1", std::make_shared<Conv>(ConvShape{.in = in, .out = width}));
  const auto conv_after = register_module("conv_after", std::make_shared<Layer>());
  conv_after_ = conv_after->register_module("0", std::make_shared<Conv>(ConvShape{.in = 5 * width, .out = out}));
}

torch::Tensor DolgAspp::Forward(const torch::Tensor& x) const {
  // Upsampling a 1x1 map is repeating it.
  const torch::Tensor mean = im_pool_->Forward(x.mean({2, 3}, /*keepdim=*/true), Activation::kRelu);
  std::vector<torch::Tensor> maps = {mean.expand({-1, -1, x.size(2), x.size(3)})};
  for (const auto& branch : branches_) maps.push_back(branch->Forward(x));
  return conv_after_->Forward(torch::cat(maps, 1), Activation::kRelu);
}

DolgLocal::DolgLocal(int64_t in, const DolgConfig& config)
    : aspp_(register_module("aspp", std::make_shared<DolgAspp>(in, config.aspp_dim, config.hidden))),
      conv1_(register_module("conv1", std::make_shared<Conv>(ConvShape{.in = config.hidden, .out = config.hidden})),
             register_module("bn", std::make_shared<BatchNorm>(config.hidden))),
      conv2_(register_module("conv2", std::make_shared<Conv>(ConvShape{.in = config.hidden, .out = 1}))) {}

torch::Tensor DolgLocal::Forward(const torch::Tensor& map) const {
  const torch::Tensor l = conv1_.Forward(aspp_->Forward(map));
  const torch::Tensor attention = torch::softplus(conv2_->Forward(torch::relu(l)));  // (B, 1, h, w)
  // A weighted mean over positions of unit vectors.
  const torch::Tensor unit = L2(l.flatten(2).transpose(1, 2));  // (B, hw, out)
  const torch::Tensor weight = attention.flatten(2) / static_cast<double>(unit.size(1));
  return weight.bmm(unit).squeeze(1);
}

Dolg::Dolg(const DolgConfig& config, int64_t earlier, int64_t last)
    : local_(register_module("localmodel", std::make_shared<DolgLocal>(earlier, config))),
      pool_g_(register_module("pool_g", std::make_shared<GemPool>(std::nullopt))),
      fc_t_(register_module("fc_t", std::make_shared<Linear>(last, config.hidden))),
      fc_(register_module("fc", std::make_shared<Linear>(2 * config.hidden, config.dim))) {}

torch::Tensor Dolg::Forward(const Features& features) {
  const torch::Tensor global = fc_t_->Forward(pool_g_->Forward(LastMap(features)));
  const torch::Tensor local = local_->Forward(features.maps[features.maps.size() - 2]);
  constexpr double kTiny = 1e-12;  // a global vector of zeros has no direction to be orthogonal to
  const torch::Tensor along =
      (local * global).sum(1, /*keepdim=*/true) / torch::clamp_min(global.square().sum(1, /*keepdim=*/true), kTiny);
  return fc_->Forward(torch::cat({global, local - along * global}, 1));
}

}  // namespace sightline::model
