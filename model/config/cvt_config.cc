#include "model/config/cvt_config.h"

#include <numeric>

#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {
namespace {

constexpr int kMaxCvtStages = 6;

}  // namespace

absl::StatusOr<CvtConfig> CvtConfig::Parse(Fields& fields) {
  CvtConfig config;
  config.dims = fields.Ints("dims", 1, kMaxCvtStages, 1, 4096, config.dims);
  config.depths = fields.Ints("depths", 1, kMaxCvtStages, 1, 64, config.depths);
  config.heads = fields.Ints("heads", 1, kMaxCvtStages, 1, 64, config.heads);
  config.mlp_ratio = static_cast<int>(fields.Int("mlp_ratio", 1, 8, config.mlp_ratio));
  fields.Require(config.depths.size() == config.dims.size(), "depths", "must have as many values as dims");
  fields.Require(config.heads.size() == config.dims.size(), "heads", "must have as many values as dims");
  for (size_t s = 0; s < config.dims.size() && s < config.heads.size(); ++s) {
    fields.Require(config.dims[s] % config.heads[s] == 0, "dims", "must be multiples of heads, stage by stage");
  }
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json CvtConfig::ToJson() const {
  return {{"dims", dims}, {"depths", depths}, {"heads", heads}, {"mlp_ratio", mlp_ratio}};
}

BackboneFacts CvtConfig::facts() const {
  return {.dim = dims.back(),
          .layers = depths.back(),
          .class_token = true,
          .rollout = true,
          .maps = {dims.back()},
          .stride = 4 << (dims.size() - 1),
          .blocks = std::accumulate(depths.begin(), depths.end(), 0)};
}

int64_t CvtConfig::parameters() const {
  int64_t count = 0;
  int64_t in = 3;
  for (size_t s = 0; s < dims.size(); ++s) {
    const int64_t d = dims[s];
    const int64_t hidden = d * mlp_ratio;
    const int64_t block = 2 * NormParameters(d) + 3 * ConvNormParameters(1, d, 3) + 4 * LinearParameters(d, d) +
                          LinearParameters(d, hidden) + LinearParameters(hidden, d);
    count += ConvParameters(in, d, s == 0 ? 7 : 3) + NormParameters(d) + depths[s] * block;
    in = d;
  }
  return count + in + NormParameters(in);  // the class token, the last norm
}

}  // namespace sightline::model
