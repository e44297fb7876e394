// Hybrid ViT: convolutional stages whose map positions are the tokens of a ViT.
#ifndef SIGHTLINE_MODEL_BACKBONE_HYBRID_VIT_H_
#define SIGHTLINE_MODEL_BACKBONE_HYBRID_VIT_H_

#include <memory>

#include "model/backbone/backbone.h"
#include "model/backbone/hybrid_stem.h"
#include "model/backbone/vit.h"
#include "model/config/architecture.h"

namespace sightline::model {

// The stages under "backbone", then a 1x1 convolution "proj" with bias to D channels; where the configuration has
// linear patches, their map "patches" (D, 3, s, s) with bias is added, s the stem's stride. Both have ceil(n / s)
// positions.
class HybridPatchEmbed : public PatchEmbed {
 public:
  explicit HybridPatchEmbed(const HybridVitConfig& config);
  torch::Tensor Forward(const torch::Tensor& images) const override;

 private:
  std::shared_ptr<HybridStem> backbone_;
  std::shared_ptr<Conv> proj_;
  std::shared_ptr<Conv> patches_;  // null without linear patches
};

std::shared_ptr<Backbone> BuildHybridVit(const HybridVitConfig& config);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_HYBRID_VIT_H_
