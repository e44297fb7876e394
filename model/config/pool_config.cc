#include "model/config/pool_config.h"

#include "base/status.h"

namespace sightline::model {

absl::StatusOr<PoolConfig> PoolConfig::ParsePooling(Fields& fields, Pooling pooling) {
  PoolConfig config;
  config.pooling = pooling;
  if (pooling == Pooling::kSpoc) config.centre_prior = fields.Bool("centre_prior", config.centre_prior);
  if (pooling == Pooling::kRmac) config.levels = static_cast<int>(fields.Int("levels", 1, 8, config.levels));
  if (pooling == Pooling::kGem && fields.Has("p")) config.p = fields.Number("p", kLeastExponent, kMostExponent);
  SIGHTLINE_ASSIGN_OR_RETURN(config.fc, FcConfig::ParseOptional(fields));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json PoolConfig::ToJson() const {
  nlohmann::json result = nlohmann::json::object();
  if (pooling == Pooling::kSpoc) result["centre_prior"] = centre_prior;
  if (pooling == Pooling::kRmac) result["levels"] = levels;
  if (pooling == Pooling::kGem && p.has_value()) result["p"] = *p;
  WriteOptional(fc, result);
  return result;
}

int64_t PoolConfig::parameters(const BackboneFacts& backbone) const {
  const int learned_p = pooling == Pooling::kGem && !p.has_value() ? 1 : 0;
  return learned_p + FcParameters(fc, backbone.dim);
}

absl::StatusOr<DelgConfig> DelgConfig::Parse(Fields& fields) {
  DelgConfig config;
  config.dim = static_cast<int>(fields.Int("dim", 1, 8192, config.dim));
  config.learned_p = fields.Bool("learned_p", config.learned_p);
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

PoolConfig DelgConfig::pool() const {
  PoolConfig config{.pooling = Pooling::kGem, .fc = FcConfig{.dim = dim}};
  if (!learned_p) config.p = 3;
  return config;
}

absl::StatusOr<SolarConfig> SolarConfig::Parse(Fields& fields) {
  SolarConfig config;
  config.dim = static_cast<int>(fields.Int("dim", 1, 8192, config.dim));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

PoolConfig SolarConfig::pool() const {
  return {.pooling = Pooling::kGem, .fc = FcConfig{.dim = dim, .l2_before = true}};
}

}  // namespace sightline::model
