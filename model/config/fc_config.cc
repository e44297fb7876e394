#include "model/config/fc_config.h"

#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {

absl::StatusOr<std::optional<FcConfig>> FcConfig::ParseOptional(Fields& fields) {
  if (!fields.Has("fc")) return std::optional<FcConfig>();
  const nlohmann::json& value = fields.Object("fc");
  if (!fields.ok()) return fields.Finish();
  Fields fc(value, fields.Path("fc"));
  FcConfig config;
  config.dim = static_cast<int>(fc.Int("dim", 1, 8192));
  config.l2_before = fc.Bool("l2_before", config.l2_before);
  config.bias = fc.Bool("bias", config.bias);
  config.bn = fc.Bool("bn", config.bn);
  SIGHTLINE_RETURN_IF_ERROR(fc.Finish());
  return std::optional<FcConfig>(config);
}

int64_t FcConfig::parameters(int64_t in) const {
  return LinearParameters(in, dim, bias) + (bn ? NormParameters(dim) : 0);
}

void WriteOptional(const std::optional<FcConfig>& config, nlohmann::json& head) {
  if (!config.has_value()) return;
  head["fc"] = {{"dim", config->dim}, {"l2_before", config->l2_before}, {"bias", config->bias}, {"bn", config->bn}};
}

int FcDim(const std::optional<FcConfig>& config, int in) { return config.has_value() ? config->dim : in; }

int64_t FcParameters(const std::optional<FcConfig>& config, int64_t in) {
  return config.has_value() ? config->parameters(in) : 0;
}

}  // namespace sightline::model
