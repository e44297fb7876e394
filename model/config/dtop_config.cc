#include "model/config/dtop_config.h"

#include <array>
#include <string>

#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {
namespace {

constexpr std::array<absl::string_view, 3> kFuse = {"sum", "fast_norm", "softmax"};

}  // namespace

absl::StatusOr<DtopConfig> DtopConfig::Parse(Fields& fields) {
  DtopConfig config;
  config.layers = static_cast<int>(fields.Int("layers", 1, 64, config.layers));
  config.dim = static_cast<int>(fields.Int("dim", 1, 8192, config.dim));
  config.fuse = static_cast<Fuse>(fields.OneOf("fuse", kFuse, static_cast<int>(config.fuse)));
  config.expand = static_cast<int>(fields.Int("expand", 1, 8, config.expand));
  config.aspp_dim = static_cast<int>(fields.Int("aspp_dim", 1, 2048, config.aspp_dim));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json DtopConfig::ToJson() const {
  return {{"layers", layers},
          {"dim", dim},
          {"fuse", std::string(kFuse[static_cast<size_t>(fuse)])},
          {"expand", expand},
          {"aspp_dim", aspp_dim}};
}

HeadFacts DtopConfig::facts() const { return {.layers = layers, .class_token = true}; }

int DtopConfig::descriptor_dim(const BackboneFacts&) const { return dim; }

int64_t DtopConfig::parameters(const BackboneFacts& backbone) const {
  const int64_t d = backbone.dim;
  const int64_t n = dim;
  const int64_t stacked = d * layers;
  const int64_t wide = d * expand;
  const int64_t a = aspp_dim;
  const int64_t irb = ConvNormParameters(d, wide, 1) + ConvNormParameters(1, wide, 3) + ConvNormParameters(wide, d, 1);
  const int64_t aspp = 2 * ConvNormParameters(d, a, 1) + 3 * ConvNormParameters(d, a, 3) +
                       ConvNormParameters(5 * a, a, 1) + LinearParameters(a, d);
  const int64_t weights = fuse == Fuse::kSum ? 0 : 2;
  return LinearParameters(stacked, n) + LinearParameters(stacked, d) + irb + aspp + weights + LinearParameters(d, n) +
         LinearParameters(2 * n, n) + NormParameters(n);
}

}  // namespace sightline::model
