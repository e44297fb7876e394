#include "model/config/netvlad_config.h"

#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {

absl::StatusOr<NetvladConfig> NetvladConfig::Parse(Fields& fields) {
  NetvladConfig config;
  config.clusters = static_cast<int>(fields.Int("clusters", 1, 256, config.clusters));
  config.conv_bias = fields.Bool("conv_bias", config.conv_bias);
  if (fields.Has("wpca")) config.wpca = static_cast<int>(fields.Int("wpca", 1, 8192));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json NetvladConfig::ToJson() const {
  nlohmann::json result = {{"clusters", clusters}, {"conv_bias", conv_bias}};
  if (wpca.has_value()) result["wpca"] = *wpca;
  return result;
}

int64_t NetvladConfig::parameters(const BackboneFacts& backbone) const {
  const int64_t c = backbone.dim;
  const int64_t k = clusters;
  return LinearParameters(c, k, conv_bias) + k * c + (wpca.has_value() ? LinearParameters(k * c, *wpca) : 0);
}

}  // namespace sightline::model
