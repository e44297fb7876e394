#include "model/head/glam.h"

namespace sightline::model {

Glam::Glam(const GlamConfig& config, int64_t dim)
    : pool_(register_module("pool", std::make_shared<GemPool>(std::nullopt))),
      fc_(*this, FcConfig{.dim = config.dim, .bn = true}, dim) {
  const int64_t reduced = config.reduced(dim);
  if (config.local_channel) lc_ = register_module("lc", std::make_shared<LocalChannelAttention>());
  if (config.local_spatial) ls_ = register_module("ls", std::make_shared<LocalSpatialAttention>(dim, reduced));
  if (config.global_channel) gc_ = register_module("gc", std::make_shared<GlobalChannelAttention>());
  if (config.global_spatial) gs_ = register_module("gs", std::make_shared<GlobalSpatialAttention>(dim, reduced));
  if (config.fused() > 0) fuse_ = register_parameter("fuse", torch::zeros({config.fused()}));
}

torch::Tensor Glam::Attend(const torch::Tensor& map) const {
  if (!fuse_.defined()) return map;
  const torch::Tensor share = torch::softmax(fuse_, 0);
  torch::Tensor sum = share[-1] * map;
  int64_t next = 0;
  if (lc_ != nullptr || ls_ != nullptr) {
    torch::Tensor local = share[next++] * map;
    if (lc_ != nullptr) local = local * (1 + lc_->Forward(map));
    if (ls_ != nullptr) local = local * (1 + ls_->Forward(map));
    sum = sum + local;
  }
  if (gc_ != nullptr || gs_ != nullptr) {
    torch::Tensor global = share[next++] * map;
    if (gc_ != nullptr) global = global * gc_->Forward(map);
    if (gs_ != nullptr) global = global * (1 + gs_->Forward(map));
    sum = sum + global;
  }
  return sum;
}

torch::Tensor Glam::Forward(const Features& features) { return fc_.Forward(pool_->Forward(Attend(LastMap(features)))); }

}  // namespace sightline::model
