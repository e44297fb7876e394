#include "model/config/token_config.h"

#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {

absl::StatusOr<ClassTokenConfig> ClassTokenConfig::ParseClassToken(Fields& fields) {
  ClassTokenConfig config;
  SIGHTLINE_ASSIGN_OR_RETURN(config.fc, FcConfig::ParseOptional(fields));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json ClassTokenConfig::ToJson() const {
  nlohmann::json result = nlohmann::json::object();
  WriteOptional(fc, result);
  return result;
}

absl::StatusOr<ClsConfig> ClsConfig::Parse(Fields& fields) {
  SIGHTLINE_ASSIGN_OR_RETURN(ClassTokenConfig config, ParseClassToken(fields));
  return ClsConfig{std::move(config)};
}

absl::StatusOr<IrtConfig> IrtConfig::Parse(Fields& fields) {
  SIGHTLINE_ASSIGN_OR_RETURN(ClassTokenConfig config, ParseClassToken(fields));
  return IrtConfig{std::move(config)};
}

absl::StatusOr<SharedMapConfig> SharedMapConfig::ParseSharedMap(Fields& fields) {
  SharedMapConfig config;
  config.dim = static_cast<int>(fields.Int("dim", 1, 8192, config.dim));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

int64_t SharedMapConfig::parameters(const BackboneFacts& backbone) const { return LinearParameters(backbone.dim, dim); }

absl::StatusOr<LinearConfig> LinearConfig::Parse(Fields& fields) {
  SIGHTLINE_ASSIGN_OR_RETURN(const SharedMapConfig config, ParseSharedMap(fields));
  return LinearConfig{config};
}

absl::StatusOr<DimlConfig> DimlConfig::Parse(Fields& fields) {
  SIGHTLINE_ASSIGN_OR_RETURN(const SharedMapConfig config, ParseSharedMap(fields));
  return DimlConfig{config};
}

}  // namespace sightline::model
