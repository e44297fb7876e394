// VGG networks in model.json. Defaults are the convolutional part of torchvision's VGG-16 without its last pool, as the
// GeM models have it.
//
//   {"type": "vgg", "end": "conv"}    VGG-16 up to conv5_3, as NetVLAD has it
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_VGG_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_VGG_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fields.h"

namespace sightline::model {

// The layer that gives the map.
enum class VggEnd {
  kConv,  // the last convolution, before its ReLU
  kRelu,  // the last ReLU
  kPool,  // the last max pool
};

struct VggConfig {
  static constexpr absl::string_view kType = "vgg";

  std::vector<int> convs = {2, 2, 3, 3, 3};  // per stage; a max pool stands between two stages
  int width = 64;  // channels of the first stage; twice as many in each next one, up to 8 times
  VggEnd end = VggEnd::kRelu;

  // Channels of stage `stage`, from 0.
  int stage_channels(size_t stage) const;

  static absl::StatusOr<VggConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const;
  BackboneFacts facts() const;
  int64_t parameters() const;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_VGG_CONFIG_H_
