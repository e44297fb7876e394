// The registry: from the architecture of model.json to a network. A new backbone or head is a type in
// config/architecture.h and a line here.
#ifndef SIGHTLINE_MODEL_REGISTRY_H_
#define SIGHTLINE_MODEL_REGISTRY_H_

#include <algorithm>
#include <memory>
#include <optional>

#include "model/backbone/backbone.h"
#include "model/config/architecture.h"
#include "model/head/head.h"
#include "model/head/whitening.h"
#include "model/layers/layer.h"

namespace sightline::model {

// Backbone, head and whitening under the names that weights files use: "backbone.*", the head's type, "dtop.*", and
// "whitening.*".
class Network : public Layer {
 public:
  Network(const BackboneConfig& backbone, const HeadConfig& head,
          const std::optional<WhiteningConfig>& whitening = std::nullopt);
  Backbone& backbone() { return *backbone_; }
  Head& head() { return *head_; }

  // What the head needs, and attention rollout if `rollout`.
  Features Look(const torch::Tensor& images, bool rollout = false) {
    return backbone_->Forward(images, {.layers = std::max(1, needs_.layers), .maps = needs_.maps, .rollout = rollout});
  }

  // From the merged, L2-normalised vectors of all scales to descriptors: the whitening, if the model ends with one.
  torch::Tensor Finish(const torch::Tensor& merged) const;

 private:
  const HeadFacts needs_;
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<Head> head_;
  std::shared_ptr<Whitening> whitening_;  // null without one
};

std::shared_ptr<Backbone> BuildBackbone(const BackboneConfig& config);
std::shared_ptr<Head> BuildHead(const HeadConfig& config, const BackboneFacts& backbone);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_REGISTRY_H_
