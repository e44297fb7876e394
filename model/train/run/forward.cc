#include "model/train/run/forward.h"

#include <algorithm>

namespace sightline::train {

ForwardResult ForwardNetwork(model::Network& network, const model::ModelConfig& config, const torch::Tensor& images,
                             int64_t layers) {
  const model::HeadFacts needs = model::Facts(config.head);
  const int64_t of_head = std::max(1, needs.layers);
  model::Features features =
      network.backbone().Forward(images, {.layers = std::max(of_head, layers), .maps = needs.maps});
  ForwardResult result;
  const auto given = static_cast<int64_t>(features.layers.size());
  result.layers.assign(features.layers.end() - std::min(layers, given), features.layers.end());
  if (given > of_head) features.layers.erase(features.layers.begin(), features.layers.end() - of_head);
  result.descriptor = network.head().Forward(features);
  return result;
}

}  // namespace sightline::train
