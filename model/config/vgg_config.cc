#include "model/config/vgg_config.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {
namespace {

constexpr std::array<absl::string_view, 3> kVggEnds = {"conv", "relu", "pool"};

}  // namespace

int VggConfig::stage_channels(size_t stage) const { return width << std::min<size_t>(stage, 3); }

absl::StatusOr<VggConfig> VggConfig::Parse(Fields& fields) {
  VggConfig config;
  config.convs = fields.Ints("convs", 1, 5, 1, 16, config.convs);
  config.width = static_cast<int>(fields.Int("width", 1, 512, config.width));
  config.end = static_cast<VggEnd>(fields.OneOf("end", kVggEnds, static_cast<int>(config.end)));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json VggConfig::ToJson() const {
  return {{"convs", convs}, {"width", width}, {"end", std::string(kVggEnds[static_cast<size_t>(end)])}};
}

BackboneFacts VggConfig::facts() const {
  const int dim = stage_channels(convs.size() - 1);
  const size_t pools = end == VggEnd::kPool ? convs.size() : convs.size() - 1;
  return {.dim = dim, .maps = {dim}, .stride = 1 << pools};
}

int64_t VggConfig::parameters() const {
  int64_t count = 0;
  int64_t in = 3;
  for (size_t stage = 0; stage < convs.size(); ++stage) {
    const int64_t out = stage_channels(stage);
    for (int i = 0; i < convs[stage]; ++i) {
      count += LinearParameters(9 * in, out);
      in = out;
    }
  }
  return count;
}

}  // namespace sightline::model
