#include "model/backbone/hybrid_vit.h"

namespace sightline::model {

class HybridPatchEmbed::Projection : public Layer {
 public:
  Projection(int64_t in, int64_t dim)
      : weight(register_parameter("weight", torch::empty({dim, in, 1, 1}))),
        bias(register_parameter("bias", torch::empty({dim}))) {}
  torch::Tensor weight;
  torch::Tensor bias;
};

HybridPatchEmbed::HybridPatchEmbed(const HybridVitConfig& config)
    : backbone_(register_module("backbone", std::make_shared<HybridStem>(config))),
      proj_(register_module("proj", std::make_shared<Projection>(config.stages.back().channels, config.encoder.dim))) {}

torch::Tensor HybridPatchEmbed::Forward(const torch::Tensor& images) const {
  return torch::conv2d(backbone_->Forward(images), proj_->weight, proj_->bias);
}

std::shared_ptr<Backbone> BuildHybridVit(const HybridVitConfig& config) {
  return std::make_shared<Vit>(config.encoder, std::make_shared<HybridPatchEmbed>(config));
}

}  // namespace sightline::model
