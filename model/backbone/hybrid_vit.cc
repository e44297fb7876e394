#include "model/backbone/hybrid_vit.h"

namespace sightline::model {

HybridPatchEmbed::HybridPatchEmbed(const HybridVitConfig& config)
    : backbone_(register_module("backbone", std::make_shared<HybridStem>(config))),
      proj_(register_module(
          "proj", std::make_shared<Conv>(ConvShape{.in = config.stages.back().channels, .out = config.encoder.dim}))) {
  if (!config.linear_patches) return;
  const int64_t side = config.stride();
  patches_ = register_module(
      "patches", std::make_shared<Conv>(ConvShape{.in = 3, .out = config.encoder.dim, .kernel = side, .stride = side}));
}

torch::Tensor HybridPatchEmbed::Forward(const torch::Tensor& images) const {
  const torch::Tensor map = proj_->Forward(backbone_->Forward(images));
  if (patches_ == nullptr) return map;
  return map + patches_->Forward(PadSame(images, patches_->shape().kernel, patches_->shape().stride, 0));
}

std::shared_ptr<Backbone> BuildHybridVit(const HybridVitConfig& config) {
  return std::make_shared<Vit>(config.encoder, std::make_shared<HybridPatchEmbed>(config));
}

}  // namespace sightline::model
