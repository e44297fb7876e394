#include "model/backbone/hybrid_vit.h"

namespace sightline::model {

HybridPatchEmbed::HybridPatchEmbed(const HybridVitConfig& config)
    : backbone_(register_module("backbone", std::make_shared<HybridStem>(config))),
      proj_(register_module(
          "proj", std::make_shared<Conv>(ConvShape{.in = config.stages.back().channels, .out = config.encoder.dim}))) {}

torch::Tensor HybridPatchEmbed::Forward(const torch::Tensor& images) const {
  return proj_->Forward(backbone_->Forward(images));
}

std::shared_ptr<Backbone> BuildHybridVit(const HybridVitConfig& config) {
  return std::make_shared<Vit>(config.encoder, std::make_shared<HybridPatchEmbed>(config));
}

}  // namespace sightline::model
