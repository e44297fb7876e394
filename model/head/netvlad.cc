#include "model/head/netvlad.h"

#include "model/layers/norm.h"

namespace sightline::model {

Netvlad::Netvlad(const NetvladConfig& config, int64_t dim) {
  const auto pool = register_module("pool", std::make_shared<Layer>());
  assign_ = pool->register_module(
      "conv", std::make_shared<Conv>(ConvShape{.in = dim, .out = config.clusters, .bias = config.conv_bias}));
  centroids_ = pool->register_parameter("centroids", torch::empty({config.clusters, dim}));
  if (!config.wpca.has_value()) return;
  const auto wpca = register_module("WPCA", std::make_shared<Layer>());
  wpca_ =
      wpca->register_module("0", std::make_shared<Conv>(ConvShape{.in = config.clusters * dim, .out = *config.wpca}));
}

torch::Tensor Netvlad::Forward(const Features& features) {
  const torch::Tensor map = LastMap(features);
  const torch::Tensor x = L2(map.permute({0, 2, 3, 1})).permute({0, 3, 1, 2});
  const torch::Tensor share = torch::softmax(assign_->Forward(x), 1).flatten(2);  // (B, K, hw)
  const torch::Tensor sums = share.bmm(x.flatten(2).transpose(1, 2));             // (B, K, C)
  const torch::Tensor residuals = sums - share.sum(2, /*keepdim=*/true) * centroids_;
  const torch::Tensor vlad = L2(L2(residuals).flatten(1));
  if (wpca_ == nullptr) return vlad;
  return wpca_->Forward(vlad.unsqueeze(2).unsqueeze(3)).flatten(1);
}

}  // namespace sightline::model
