// Residual networks in model.json. Defaults are torchvision's ResNet-50 without its classifier.
//
//   {"type": "resnet", "blocks": [3, 4, 23, 3], "channel_order": "bgr"}       ResNet-101 as DELG's and DOLG's ports
//   have it
//   {"type": "resnet", "block": "basic", "blocks": [2, 2, 2]}                 ResNet-18 without layer4
//   {"type": "resnet", "blocks": [3, 4, 23, 3], "soa4": 256, "soa5": 1024}    SOLAR's
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_MODEL_CONFIG.
#ifndef SIGHTLINE_MODEL_CONFIG_RESNET_CONFIG_H_
#define SIGHTLINE_MODEL_CONFIG_RESNET_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/facts.h"
#include "model/config/fields.h"

namespace sightline::model {

enum class ResnetBlockKind {
  kBasic,       // 3x3, 3x3
  kBottleneck,  // 1x1, 3x3, 1x1 to four times the channels
};

// Which convolution of a stage's first bottleneck has the stride.
enum class ResnetStrideOn {
  k3x3,  // "v1.5": torchvision and pycls
  k1x1,  // "v1": the first publication and what was converted from it
};

// What the weights expect. mean and std of model.json are in the image's order, RGB, in either case: the network turns
// the channels after they were applied.
enum class ChannelOrder { kRgb, kBgr };

struct ResnetConfig {
  static constexpr absl::string_view kType = "resnet";
  // Stages there can be, each but the first with half the resolution and twice the channels of the one before.
  static constexpr size_t kMaxStages = 4;

  ResnetBlockKind block = ResnetBlockKind::kBottleneck;
  std::vector<int> blocks = {3, 4, 6, 3};  // per stage; a trunk without layer4 has three
  int width = 64;                          // channels of the stem, and of the 3x3 convolutions of the first stage
  ResnetStrideOn stride_on = ResnetStrideOn::k3x3;
  ChannelOrder channel_order = ChannelOrder::kRgb;
  int last_stride = 2;  // of layer4
  // Middle width of the second-order attention after the third and the fourth stage, conv4_x and conv5_x of the
  // publication; 0 for none.
  int soa4 = 0;
  int soa5 = 0;

  // Channels that stage `stage`, from 0, gives, and its stride beside the stage before.
  int stage_channels(size_t stage) const;
  int stage_stride(size_t stage) const;
  // The middle width of the attention after stage `stage`; 0 for none.
  int second_order(size_t stage) const;

  static absl::StatusOr<ResnetConfig> Parse(Fields& fields);
  nlohmann::json ToJson() const;
  BackboneFacts facts() const;
  int64_t parameters() const;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_RESNET_CONFIG_H_
