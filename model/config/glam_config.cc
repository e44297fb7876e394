#include "model/config/glam_config.h"

#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {

absl::StatusOr<GlamConfig> GlamConfig::Parse(Fields& fields) {
  GlamConfig config;
  config.dim = static_cast<int>(fields.Int("dim", 1, 8192, config.dim));
  config.reduction = static_cast<int>(fields.Int("reduction", 1, 64, config.reduction));
  config.local_channel = fields.Bool("local_channel", config.local_channel);
  config.local_spatial = fields.Bool("local_spatial", config.local_spatial);
  config.global_channel = fields.Bool("global_channel", config.global_channel);
  config.global_spatial = fields.Bool("global_spatial", config.global_spatial);
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json GlamConfig::ToJson() const {
  return {{"dim", dim},
          {"reduction", reduction},
          {"local_channel", local_channel},
          {"local_spatial", local_spatial},
          {"global_channel", global_channel},
          {"global_spatial", global_spatial}};
}

int64_t GlamConfig::parameters(const BackboneFacts& backbone) const {
  constexpr int64_t kTaps = 3;  // of a convolution along the channels
  const int64_t c = backbone.dim;
  const int64_t r = reduced(c);
  int64_t count = fused();
  if (local_channel) count += kTaps;
  if (local_spatial) {
    count +=
        LinearParameters(c, r) + LinearParameters(r, r) + 3 * LinearParameters(9 * r, r) + LinearParameters(4 * r, 1);
  }
  if (global_channel) count += 2 * kTaps;
  if (global_spatial) count += 3 * LinearParameters(c, r) + LinearParameters(r, c);
  constexpr int64_t kExponent = 1;
  return count + kExponent + LinearParameters(c, dim) + NormParameters(dim);
}

}  // namespace sightline::model
