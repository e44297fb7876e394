#include "model/config/dolg_config.h"

#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {

absl::StatusOr<DolgConfig> DolgConfig::Parse(Fields& fields) {
  DolgConfig config;
  config.dim = static_cast<int>(fields.Int("dim", 1, 8192, config.dim));
  config.hidden = static_cast<int>(fields.Int("hidden", 1, 4096, config.hidden));
  config.aspp_dim = static_cast<int>(fields.Int("aspp_dim", 1, 2048, config.aspp_dim));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

int64_t DolgConfig::parameters(const BackboneFacts& backbone) const {
  // A backbone of one map is refused later; its parameters are asked for before that.
  const int64_t earlier = backbone.maps.size() < 2 ? 0 : backbone.maps[backbone.maps.size() - 2];
  const int64_t a = aspp_dim;
  const int64_t h = hidden;
  const int64_t aspp =
      2 * LinearParameters(earlier, a) + 3 * LinearParameters(9 * earlier, a) + LinearParameters(5 * a, h);
  const int64_t attention = LinearParameters(h, h) + NormParameters(h) + LinearParameters(h, 1);
  constexpr int64_t kExponent = 1;
  return aspp + attention + kExponent + LinearParameters(backbone.dim, h) + LinearParameters(2 * h, dim);
}

}  // namespace sightline::model
