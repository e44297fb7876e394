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
    if (IsPlain(weight_)) planned_.emplace(options, weight_, bias_);
  }

 private:
  torch::Tensor weight_;
  torch::Tensor bias_;
  std::optional<PlannedLinear> planned_;
};

Dtop::Dtop(const DtopConfig& config, int64_t token_dim)
    : global_fc_(register_module("global_fc", std::make_shared<Linear>(config.layers * token_dim, config.dim))),
      local_conv_(register_module("local_conv", std::make_shared<LocalConv>(config.layers * token_dim, token_dim))),
      elm_(register_module("elm", std::make_shared<Elm>(token_dim, config.expand, config.aspp_dim))),
      fuse_(register_module("fuse", std::make_shared<FuseLayer>(config.fuse))),
      local_fc_(register_module("local_fc", std::make_shared<Linear>(token_dim, config.dim))),
      final_fc_(register_module("final_fc", std::make_shared<Linear>(2 * config.dim, config.dim))),
      bn_(register_module("bn", std::make_shared<BatchNorm>(config.dim))) {}

Dtop::Parts Dtop::ForwardParts(const Features& features) {
  const int64_t cells = features.height * features.width;
  std::vector<torch::Tensor> cls;
  std::vector<torch::Tensor> patches;
  for (const torch::Tensor& layer : features.layers) {
    cls.push_back(layer.select(1, 0));
    patches.push_back(layer.narrow(1, features.prefix, cells));
  }
  Parts parts;
  parts.global = global_fc_->Forward(torch::cat(cls, 1));
  // (B, M, D) is (B, D, h, w) with channels last.
  parts.map = local_conv_->Forward(torch::cat(patches, 2))
                  .view({-1, features.height, features.width, patches[0].size(2)})
                  .permute({0, 3, 1, 2});
  parts.local_map = elm_->Forward(parts.map);
  parts.fused = fuse_->Forward(parts.map, parts.local_map);
  parts.local = local_fc_->Forward(parts.fused.mean({2, 3}));
  parts.result = bn_->Forward(final_fc_->Forward(torch::cat({parts.global, parts.local}, 1)));
  return parts;
}

}  // namespace sightline::model
