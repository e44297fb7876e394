#include "model/config/swin_config.h"

#include <numeric>

#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {
namespace {

constexpr int kMaxStages = 6;

}  // namespace

absl::StatusOr<SwinConfig> SwinConfig::Parse(Fields& fields) {
  SwinConfig config;
  config.patch = static_cast<int>(fields.Int("patch", 1, 64, config.patch));
  config.dim = static_cast<int>(fields.Int("dim", 1, 1024, config.dim));
  config.depths = fields.Ints("depths", 1, kMaxStages, 1, 64, config.depths);
  config.heads = fields.Ints("heads", 1, kMaxStages, 1, 128, config.heads);
  config.window = static_cast<int>(fields.Int("window", 1, 32, config.window));
  config.mlp_ratio = static_cast<int>(fields.Int("mlp_ratio", 1, 8, config.mlp_ratio));
  fields.Require(config.heads.size() == config.depths.size(), "heads", "must have as many values as depths");
  for (size_t s = 0; s < config.heads.size(); ++s) {
    fields.Require((config.dim << s) % config.heads[s] == 0, "heads",
                   "must divide the stages' channels: dim, twice dim, and so on");
  }
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json SwinConfig::ToJson() const {
  return {{"patch", patch}, {"dim", dim},       {"depths", depths},
          {"heads", heads}, {"window", window}, {"mlp_ratio", mlp_ratio}};
}

BackboneFacts SwinConfig::facts() const {
  const int halvings = static_cast<int>(depths.size()) - 1;
  return {.dim = dim << halvings,
          .maps = {dim << halvings},
          .stride = patch << halvings,
          .blocks = std::accumulate(depths.begin(), depths.end(), 0)};
}

int64_t SwinConfig::parameters() const {
  const int64_t offsets = int64_t{2} * window - 1;
  int64_t channels = dim;
  int64_t count = ConvParameters(3, channels, patch) + NormParameters(channels);
  for (size_t s = 0; s < depths.size(); ++s) {
    if (s > 0) {
      count += NormParameters(4 * channels) + LinearParameters(4 * channels, 2 * channels, /*bias=*/false);
      channels *= 2;
    }
    const int64_t hidden = channels * mlp_ratio;
    const int64_t block = 2 * NormParameters(channels) + offsets * offsets * heads[s] +
                          LinearParameters(channels, 3 * channels) + LinearParameters(channels, channels) +
                          LinearParameters(channels, hidden) + LinearParameters(hidden, channels);
    count += depths[s] * block;
  }
  return count + NormParameters(channels);
}

}  // namespace sightline::model
