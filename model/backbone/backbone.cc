#include "model/backbone/backbone.h"

namespace sightline::model {

torch::Tensor LastMap(const Features& features) {
  if (!features.maps.empty()) return features.maps.back();
  const torch::Tensor& last = features.layers.back();
  return last.narrow(1, features.prefix, features.height * features.width)
      .transpose(1, 2)
      .view({last.size(0), last.size(2), features.height, features.width});
}

torch::Tensor Centre(const Features& features) {
  if (features.prefix > 0) return features.layers.back().select(1, 0);
  return LastMap(features).mean({2, 3});
}

}  // namespace sightline::model
