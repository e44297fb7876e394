#include "model/head/dtop.h"

#include <optional>
#include <vector>

namespace sightline::model {

// A 1x1 convolution, kept in the shape of one so that keys fit, run as a linear map over the token sequence.
class Dtop::LocalConv : public Layer {
 public:
  LocalConv(int64_t in, int64_t out)
      : weight_(register_parameter("weight", torch::empty({out, in, 1, 1}))),
        bias_(register_parameter("bias", torch::empty({out}))) {}
  // (B, M, in) -> (B, M, out)
  torch::Tensor Forward(const torch::Tensor& x) const {
    if (planned_ && !is_training() && IsPlain(x)) return planned_->Forward(x, Activation::kNone);
    return torch::linear(x, weight_.flatten(1), bias_);
  }
  void Plan(const PlanOptions& options) override {
    planned_.reset();
    if (options.settle.has_value()) {
      SettleParameter(weight_, weight_, *options.settle);
      SettleParameter(bias_, bias_, *options.settle);
      return;
    }
    if (IsPlain(weight_)) planned_.emplace(options, weight_, bias_);
  }

 private:
  torch::Tensor weight_;
  torch::Tensor bias_;
  std::optional<PlannedLinear> planned_;
};

Dtop::Dtop(const DtopConfig& config, int64_t token_dim) {
  const int64_t stacked = config.layers * token_dim;
  if (config.base()) return;
  if (config.global) global_fc_ = register_module("global_fc", std::make_shared<Linear>(stacked, config.dim));
  if (config.local) {
    local_conv_ = register_module("local_conv", std::make_shared<LocalConv>(stacked, token_dim));
    local_fc_ = register_module("local_fc", std::make_shared<Linear>(token_dim, config.dim));
  }
  if (config.locality()) {
    elm_ = register_module("elm", std::make_shared<Elm>(token_dim, config.expand, config.aspp_dim));
    fuse_ = register_module("fuse", std::make_shared<FuseLayer>(config.fuse));
  }
  const int branches = config.global + config.local;
  final_fc_ = register_module("final_fc", std::make_shared<Linear>(branches * config.dim, config.dim));
  bn_ = register_module("bn", std::make_shared<BatchNorm>(config.dim));
}

void Dtop::UseNoise(const HeadNoise& noise) {
  dropout_ = noise.dropout;
  if (elm_ != nullptr) elm_->UseWave(noise.wave_height, noise.wave_factor);
}

void Dtop::ForwardLocal(const Features& features, Parts& parts) {
  std::vector<torch::Tensor> patches;
  for (const torch::Tensor& layer : features.layers) {
    patches.push_back(layer.narrow(1, features.prefix, features.height * features.width));
  }
  // (B, M, D) is (B, D, h, w) with channels last.
  parts.map = local_conv_->Forward(torch::cat(patches, 2))
                  .view({-1, features.height, features.width, patches[0].size(2)})
                  .permute({0, 3, 1, 2});
  parts.fused = parts.map;
  if (elm_ != nullptr) {
    parts.local_map = elm_->Forward(parts.map);
    parts.fused = fuse_->Forward(parts.map, parts.local_map);
  }
  parts.local = local_fc_->Forward(parts.fused.mean({2, 3}));
}

Dtop::Parts Dtop::ForwardParts(const Features& features) {
  Parts parts;
  std::vector<torch::Tensor> branches;
  if (global_fc_ != nullptr) {
    std::vector<torch::Tensor> cls;
    for (const torch::Tensor& layer : features.layers) cls.push_back(layer.select(1, 0));
    parts.global = global_fc_->Forward(torch::cat(cls, 1));
    branches.push_back(parts.global);
  }
  if (local_conv_ != nullptr) {
    ForwardLocal(features, parts);
    branches.push_back(parts.local);
  }
  if (branches.empty()) {
    parts.result = features.layers.back().select(1, 0);
    return parts;
  }
  torch::Tensor both = torch::cat(branches, 1);
  if (is_training() && dropout_ > 0) both = torch::dropout(both, dropout_, /*train=*/true);
  parts.result = bn_->Forward(final_fc_->Forward(both));
  return parts;
}

}  // namespace sightline::model
