#include "model/config/architecture.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/config/fields.h"

namespace sightline::model {
namespace {

using nlohmann::json;

constexpr std::array<absl::string_view, 2> kBackbones = {"vit", "hybrid_vit"};
constexpr std::array<absl::string_view, 1> kHeads = {"dtop"};
constexpr std::array<absl::string_view, 3> kFuse = {"sum", "fast_norm", "softmax"};

EncoderConfig ReadEncoder(Fields& fields) {
  const EncoderConfig defaults;
  EncoderConfig config;
  config.dim = static_cast<int>(fields.Int("dim", 8, 4096, defaults.dim));
  config.depth = static_cast<int>(fields.Int("depth", 1, 64, defaults.depth));
  config.heads = static_cast<int>(fields.Int("heads", 1, 64, defaults.heads));
  config.mlp_ratio = static_cast<int>(fields.Int("mlp_ratio", 1, 8, defaults.mlp_ratio));
  config.grid = static_cast<int>(fields.Int("grid", 1, 128, defaults.grid));
  fields.Require(config.dim % config.heads == 0, "dim", "must be a multiple of heads");
  return config;
}

absl::StatusOr<StageConfig> ReadStage(const json& value, absl::string_view path, int groups) {
  Fields fields(value, path);
  StageConfig stage;
  stage.blocks = static_cast<int>(fields.Int("blocks", 1, 64));
  stage.channels = static_cast<int>(fields.Int("channels", 4, 4096));
  stage.stride = static_cast<int>(fields.Int("stride", 1, 2));
  fields.Require(stage.channels % (4 * groups) == 0, "channels", "must be a multiple of 4 times groups");
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return stage;
}

absl::StatusOr<BackboneConfig> ReadHybrid(Fields& fields) {
  HybridVitConfig config;
  config.encoder = ReadEncoder(fields);
  config.stem_channels = static_cast<int>(fields.Int("stem_channels", 1, 1024, config.stem_channels));
  config.groups = static_cast<int>(fields.Int("groups", 1, 256, config.groups));
  fields.Require(config.stem_channels % config.groups == 0, "stem_channels", "must be a multiple of groups");
  const json& stages = fields.List("stages", 1, 8);
  for (size_t i = 0; i < stages.size() && stages.is_array(); ++i) {
    SIGHTLINE_ASSIGN_OR_RETURN(const StageConfig stage,
                               ReadStage(stages[i], absl::StrCat(fields.Path("stages"), "[", i, "]"), config.groups));
    config.stages.push_back(stage);
  }
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

json EncoderJson(const EncoderConfig& config) {
  return {{"dim", config.dim},
          {"depth", config.depth},
          {"heads", config.heads},
          {"mlp_ratio", config.mlp_ratio},
          {"grid", config.grid}};
}

}  // namespace

int HybridVitConfig::stride() const {
  int stride = 4;
  for (const StageConfig& stage : stages) stride *= stage.stride;
  return stride;
}

absl::StatusOr<BackboneConfig> ParseBackbone(const json& value) {
  Fields fields(value, "backbone");
  if (fields.OneOf("type", kBackbones) == 1) return ReadHybrid(fields);
  VitConfig config;
  config.encoder = ReadEncoder(fields);
  config.patch = static_cast<int>(fields.Int("patch", 1, 64, config.patch));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

absl::StatusOr<HeadConfig> ParseHead(const json& value) {
  Fields fields(value, "head");
  fields.OneOf("type", kHeads);
  DtopConfig config;
  config.layers = static_cast<int>(fields.Int("layers", 1, 64, config.layers));
  config.dim = static_cast<int>(fields.Int("dim", 1, 8192, config.dim));
  config.fuse = static_cast<Fuse>(fields.OneOf("fuse", kFuse, static_cast<int>(config.fuse)));
  config.expand = static_cast<int>(fields.Int("expand", 1, 8, config.expand));
  config.aspp_dim = static_cast<int>(fields.Int("aspp_dim", 1, 2048, config.aspp_dim));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return HeadConfig(config);
}

json ToJson(const BackboneConfig& config) {
  json result = EncoderJson(Encoder(config));
  result["type"] = std::string(TypeName(config));
  if (const auto* vit = std::get_if<VitConfig>(&config)) result["patch"] = vit->patch;
  if (const auto* hybrid = std::get_if<HybridVitConfig>(&config)) {
    result["stem_channels"] = hybrid->stem_channels;
    result["groups"] = hybrid->groups;
    result["stages"] = json::array();
    for (const StageConfig& stage : hybrid->stages) {
      result["stages"].push_back({{"blocks", stage.blocks}, {"channels", stage.channels}, {"stride", stage.stride}});
    }
  }
  return result;
}

json ToJson(const HeadConfig& config) {
  const auto& dtop = std::get<DtopConfig>(config);
  return {{"type", std::string(TypeName(config))},
          {"layers", dtop.layers},
          {"dim", dtop.dim},
          {"fuse", std::string(kFuse[static_cast<size_t>(dtop.fuse)])},
          {"expand", dtop.expand},
          {"aspp_dim", dtop.aspp_dim}};
}

const EncoderConfig& Encoder(const BackboneConfig& config) {
  return std::visit([](const auto& backbone) -> const EncoderConfig& { return backbone.encoder; }, config);
}

int TokenStride(const BackboneConfig& config) {
  if (const auto* hybrid = std::get_if<HybridVitConfig>(&config)) return hybrid->stride();
  return std::get<VitConfig>(config).patch;
}

absl::string_view TypeName(const BackboneConfig& config) { return kBackbones[config.index()]; }
absl::string_view TypeName(const HeadConfig& config) { return kHeads[config.index()]; }
int DescriptorDim(const HeadConfig& config) { return std::get<DtopConfig>(config).dim; }

}  // namespace sightline::model
