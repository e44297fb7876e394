#include "model/head/pool.h"

#include <algorithm>

#include "model/head/rmac.h"

namespace sightline::model {
namespace {

// exp(-(i - middle)^2 / (2 sigma^2)) for the cells of one side.
torch::Tensor Bell(const torch::Tensor& map, int64_t cells, double sigma) {
  const torch::Tensor offset = torch::arange(cells, map.options()) - static_cast<double>(cells - 1) / 2;
  return torch::exp(-offset.square() / (2 * sigma * sigma));
}

}  // namespace

torch::Tensor SpocPool(const torch::Tensor& map) {
  const int64_t height = map.size(2);
  const int64_t width = map.size(3);
  const double sigma = static_cast<double>(std::min(height, width)) / 6;
  const torch::Tensor weight = torch::outer(Bell(map, height, sigma), Bell(map, width, sigma));
  return (map * weight).sum({2, 3}) / weight.sum();
}

torch::Tensor CrowPool(const torch::Tensor& map) {
  constexpr double kTiny = 1e-12;  // keeps a map of zeros from dividing by zero
  // Patch tokens may be negative, where roots and shares have no meaning; maps behind a ReLU stay what they are.
  const torch::Tensor x = torch::relu(map);
  const torch::Tensor sum = x.sum(1, /*keepdim=*/true);
  const torch::Tensor norm = sum.square().sum({2, 3}, /*keepdim=*/true).sqrt();
  const torch::Tensor spatial = torch::sqrt(sum / torch::clamp_min(norm, kTiny));
  const torch::Tensor share = (x > 0).to(x.scalar_type()).mean({2, 3});
  const torch::Tensor channel = torch::log(share.sum(1, /*keepdim=*/true) / torch::clamp_min(share, kTiny));
  return (x * spatial).sum({2, 3}) * channel.masked_fill(share == 0, 0);
}

PoolHead::PoolHead(const PoolConfig& config, int64_t dim) : config_(config), fc_(*this, config.fc, dim) {
  if (config.pooling == Pooling::kGem) gem_ = register_module("pool", std::make_shared<GemPool>(config.p));
}

torch::Tensor PoolHead::Pool(const torch::Tensor& map) const {
  switch (config_.pooling) {
    case Pooling::kGap: break;
    case Pooling::kSpoc: return config_.centre_prior ? SpocPool(map) : map.mean({2, 3});
    case Pooling::kMac: return map.amax({2, 3});
    case Pooling::kCrow: return CrowPool(map);
    case Pooling::kRmac: return RmacPool(map, config_.levels);
    case Pooling::kGem: return gem_->Forward(map);
  }
  return map.mean({2, 3});
}

torch::Tensor PoolHead::Forward(const Features& features) { return fc_.Forward(Pool(LastMap(features))); }

}  // namespace sightline::model
