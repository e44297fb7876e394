#include "model/config/resnet_config.h"

#include <array>
#include <string>

#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {
namespace {

constexpr std::array<absl::string_view, 2> kResnetBlocks = {"basic", "bottleneck"};
constexpr std::array<absl::string_view, 2> kResnetStrideOn = {"3x3", "1x1"};
constexpr std::array<absl::string_view, 2> kChannelOrders = {"rgb", "bgr"};
constexpr int kBottleneckExpansion = 4;

template <typename Enum>
Enum ReadResnetChoice(Fields& fields, absl::string_view key, absl::Span<const absl::string_view> names, Enum fallback) {
  return static_cast<Enum>(fields.OneOf(key, names, static_cast<int>(fallback)));
}

int64_t ResnetBlockParameters(ResnetBlockKind kind, int64_t in, int64_t middle, int64_t out) {
  if (kind == ResnetBlockKind::kBasic) return ConvNormParameters(in, out, 3) + ConvNormParameters(out, out, 3);
  return ConvNormParameters(in, middle, 1) + ConvNormParameters(middle, middle, 3) + ConvNormParameters(middle, out, 1);
}

// f and g with a batch norm each, h, and v back.
int64_t SecondOrderParameters(int64_t channels, int64_t middle) {
  return 2 * (LinearParameters(channels, middle) + NormParameters(middle)) + LinearParameters(channels, middle) +
         LinearParameters(middle, channels);
}

}  // namespace

int ResnetConfig::stage_channels(size_t stage) const {
  return (width << stage) * (block == ResnetBlockKind::kBottleneck ? kBottleneckExpansion : 1);
}

int ResnetConfig::stage_stride(size_t stage) const {
  if (stage == 0) return 1;
  return stage + 1 == kMaxStages ? last_stride : 2;
}

int ResnetConfig::second_order(size_t stage) const {
  if (stage == 2) return soa4;
  return stage == 3 ? soa5 : 0;
}

absl::StatusOr<ResnetConfig> ResnetConfig::Parse(Fields& fields) {
  ResnetConfig config;
  config.block = ReadResnetChoice(fields, "block", kResnetBlocks, config.block);
  config.blocks = fields.Ints("blocks", 1, kMaxStages, 1, 128, config.blocks);
  config.width = static_cast<int>(fields.Int("width", 1, 512, config.width));
  config.stride_on = ReadResnetChoice(fields, "stride_on", kResnetStrideOn, config.stride_on);
  config.channel_order = ReadResnetChoice(fields, "channel_order", kChannelOrders, config.channel_order);
  config.last_stride = static_cast<int>(fields.Int("last_stride", 1, 2, config.last_stride));
  config.soa4 = static_cast<int>(fields.Int("soa4", 0, 4096, config.soa4));
  config.soa5 = static_cast<int>(fields.Int("soa5", 0, 4096, config.soa5));
  fields.Require(config.block == ResnetBlockKind::kBottleneck || config.stride_on == ResnetStrideOn::k3x3, "stride_on",
                 "must be 3x3: basic blocks have no 1x1 convolution");
  fields.Require(config.blocks.size() == kMaxStages || config.last_stride == 2, "last_stride",
                 "is of the fourth stage, which this network does not have");
  fields.Require(config.blocks.size() >= 3 || config.soa4 == 0, "soa4",
                 "is behind the third stage, which this network does not have");
  fields.Require(config.blocks.size() >= 4 || config.soa5 == 0, "soa5",
                 "is behind the fourth stage, which this network does not have");
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json ResnetConfig::ToJson() const {
  return {{"block", std::string(kResnetBlocks[static_cast<size_t>(block)])},
          {"blocks", blocks},
          {"width", width},
          {"stride_on", std::string(kResnetStrideOn[static_cast<size_t>(stride_on)])},
          {"channel_order", std::string(kChannelOrders[static_cast<size_t>(channel_order)])},
          {"last_stride", last_stride},
          {"soa4", soa4},
          {"soa5", soa5}};
}

BackboneFacts ResnetConfig::facts() const {
  BackboneFacts facts;
  facts.stride = 4;  // the stem's
  for (size_t stage = 0; stage < blocks.size(); ++stage) {
    facts.maps.push_back(stage_channels(stage));
    facts.stride *= stage_stride(stage);
  }
  facts.dim = facts.maps.back();
  return facts;
}

int64_t ResnetConfig::parameters() const {
  int64_t count = ConvNormParameters(3, width, 7);
  int64_t in = width;
  for (size_t stage = 0; stage < blocks.size(); ++stage) {
    const int64_t middle = int64_t{width} << stage;
    const int64_t out = stage_channels(stage);
    // The first block's shortcut is a convolution where the shape changes.
    if (in != out || stage_stride(stage) != 1) count += ConvNormParameters(in, out, 1);
    count += ResnetBlockParameters(block, in, middle, out) +
             (blocks[stage] - 1) * ResnetBlockParameters(block, out, middle, out);
    if (const int soa = second_order(stage); soa > 0) count += SecondOrderParameters(out, soa);
    in = out;
  }
  return count;
}

}  // namespace sightline::model
