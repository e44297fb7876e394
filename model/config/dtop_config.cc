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
  config.global = fields.Bool("global", config.global);
  config.local = fields.Bool("local", config.local);
  config.elm = fields.Bool("elm", config.local);
  fields.Require(config.local || !config.elm, "elm", "must not be true: it belongs to the local branch, which is off");
  if (!config.base()) {
    config.layers = static_cast<int>(fields.Int("layers", 1, 64, config.layers));
    config.dim = static_cast<int>(fields.Int("dim", 1, 8192, config.dim));
  }
  if (config.locality()) {
    config.fuse = static_cast<Fuse>(fields.OneOf("fuse", kFuse, static_cast<int>(config.fuse)));
    config.expand = static_cast<int>(fields.Int("expand", 1, 8, config.expand));
    config.aspp_dim = static_cast<int>(fields.Int("aspp_dim", 1, 2048, config.aspp_dim));
  }
  for (const char* const member : {"layers", "dim", "fuse", "expand", "aspp_dim"}) {
    const bool of_elm = absl::string_view(member) != "layers" && absl::string_view(member) != "dim";
    fields.Require(!fields.Has(member) || (of_elm ? config.locality() : !config.base()), member,
                   "must not be given: the part it belongs to is off");
  }
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json DtopConfig::ToJson() const {
  nlohmann::json result = nlohmann::json::object();
  // What is on goes without saying, so that spaces of models older than the switches stay what they are.
  if (!global) result["global"] = false;
  if (!local) result["local"] = false;
  if (local && !elm) result["elm"] = false;
  if (!base()) {
    result["layers"] = layers;
    result["dim"] = dim;
  }
  if (locality()) {
    result["fuse"] = std::string(kFuse[static_cast<size_t>(fuse)]);
    result["expand"] = expand;
    result["aspp_dim"] = aspp_dim;
  }
  return result;
}

HeadFacts DtopConfig::facts() const { return {.layers = base() ? 1 : layers, .class_token = global || base()}; }

int64_t DtopConfig::parameters(const BackboneFacts& backbone) const {
  if (base()) return 0;
  const int64_t d = backbone.dim;
  const int64_t n = dim;
  const int64_t stacked = d * layers;
  const int64_t wide = d * expand;
  const int64_t a = aspp_dim;
  int64_t count = LinearParameters((global + local) * n, n) + NormParameters(n);
  if (global) count += LinearParameters(stacked, n);
  if (local) count += LinearParameters(stacked, d) + LinearParameters(d, n);
  if (locality()) {
    const int64_t irb =
        ConvNormParameters(d, wide, 1) + ConvNormParameters(1, wide, 3) + ConvNormParameters(wide, d, 1);
    const int64_t aspp = 2 * ConvNormParameters(d, a, 1) + 3 * ConvNormParameters(d, a, 3) +
                         ConvNormParameters(5 * a, a, 1) + LinearParameters(a, d);
    count += irb + aspp + (fuse == Fuse::kSum ? 0 : 2);
  }
  return count;
}

}  // namespace sightline::model
