#include "model/config/vit_config.h"

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/config/parameter_count.h"

namespace sightline::model {
namespace {

using nlohmann::json;

constexpr std::array<absl::string_view, 4> kPositions = {"bilinear", "bicubic", "cpe", "none"};
constexpr std::array<absl::string_view, 3> kPositionScope = {"all", "class", "patches"};

EncoderConfig ReadEncoder(Fields& fields) {
  const EncoderConfig defaults;
  EncoderConfig config;
  config.dim = static_cast<int>(fields.Int("dim", 8, 4096, defaults.dim));
  config.depth = static_cast<int>(fields.Int("depth", 1, 64, defaults.depth));
  config.heads = static_cast<int>(fields.Int("heads", 1, 64, defaults.heads));
  config.mlp_ratio = static_cast<int>(fields.Int("mlp_ratio", 1, 8, defaults.mlp_ratio));
  config.registers = static_cast<int>(fields.Int("registers", 0, 64, defaults.registers));
  config.distilled = fields.Bool("distilled", defaults.distilled);
  config.layer_scale = fields.Bool("layer_scale", defaults.layer_scale);
  config.qkv_bias = fields.Bool("qkv_bias", defaults.qkv_bias);
  config.norm_epsilon = fields.Number("norm_epsilon", 1e-12, 1e-2, defaults.norm_epsilon);
  config.position = static_cast<Position>(fields.OneOf("position", kPositions, 0));
  // Without a learned grid these two would be values that change an embedding space and nothing else.
  if (config.learned_grid()) {
    config.grid = static_cast<int>(fields.Int("grid", 1, 128, defaults.grid));
    config.position_rows = static_cast<PositionScope>(fields.OneOf("position_rows", kPositionScope, 0));
    fields.Require(config.position_rows != PositionScope::kClass || config.registers > 0, "position_rows",
                   "must not be class without registers: it means the same as all");
  }
  fields.Require(config.dim % config.heads == 0, "dim", "must be a multiple of heads");
  return config;
}

json EncoderJson(const EncoderConfig& config) {
  const EncoderConfig earlier;
  json result = {
      {"dim", config.dim}, {"depth", config.depth}, {"heads", config.heads}, {"mlp_ratio", config.mlp_ratio}};
  if (config.learned_grid()) result["grid"] = config.grid;
  if (config.registers != earlier.registers) result["registers"] = config.registers;
  if (config.distilled != earlier.distilled) result["distilled"] = config.distilled;
  if (config.layer_scale != earlier.layer_scale) result["layer_scale"] = config.layer_scale;
  if (config.qkv_bias != earlier.qkv_bias) result["qkv_bias"] = config.qkv_bias;
  if (config.norm_epsilon != earlier.norm_epsilon) result["norm_epsilon"] = config.norm_epsilon;
  if (config.position != earlier.position) {
    result["position"] = std::string(kPositions[static_cast<size_t>(config.position)]);
  }
  if (config.position_rows != earlier.position_rows) {
    result["position_rows"] = std::string(kPositionScope[static_cast<size_t>(config.position_rows)]);
  }
  return result;
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

BackboneFacts EncoderFacts(const EncoderConfig& config) {
  return {.dim = config.dim,
          .layers = config.depth,
          .class_token = true,
          .rollout = true,
          .maps = {config.dim},
          .blocks = config.depth};
}

}  // namespace

int EncoderConfig::position_prefix() const {
  switch (position_rows) {
    case PositionScope::kAll: return prefix();
    case PositionScope::kClass: return prefix() - registers;
    case PositionScope::kPatches: return 0;
  }
  return 0;
}

int64_t EncoderConfig::parameters() const {
  const int64_t d = dim;
  const int64_t hidden = d * mlp_ratio;
  const int64_t block = NormParameters(d) + LinearParameters(d, 3 * d, qkv_bias) + LinearParameters(d, d) +
                        NormParameters(d) + LinearParameters(d, hidden) + LinearParameters(hidden, d) +
                        (layer_scale ? 2 * d : 0);
  int64_t position_values = 0;
  if (learned_grid()) position_values = (position_prefix() + int64_t{grid} * grid) * d;
  if (position == Position::kCpe) position_values = ConvParameters(1, d, 3);
  return prefix() * d + position_values + depth * block + NormParameters(d);
}

absl::StatusOr<VitConfig> VitConfig::Parse(Fields& fields) {
  VitConfig config;
  config.encoder = ReadEncoder(fields);
  config.patch = static_cast<int>(fields.Int("patch", 1, 64, config.patch));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

json VitConfig::ToJson() const {
  json result = EncoderJson(encoder);
  result["patch"] = patch;
  return result;
}

BackboneFacts VitConfig::facts() const {
  BackboneFacts facts = EncoderFacts(encoder);
  facts.stride = patch;
  facts.whole_cells = true;
  return facts;
}

int64_t VitConfig::parameters() const {
  return encoder.parameters() + LinearParameters(int64_t{3} * patch * patch, encoder.dim);
}

absl::StatusOr<HybridVitConfig> HybridVitConfig::Parse(Fields& fields) {
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
  config.linear_patches = fields.Bool("linear_patches", config.linear_patches);
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

json HybridVitConfig::ToJson() const {
  json result = EncoderJson(encoder);
  result["stem_channels"] = stem_channels;
  result["groups"] = groups;
  result["stages"] = json::array();
  for (const StageConfig& stage : stages) {
    result["stages"].push_back({{"blocks", stage.blocks}, {"channels", stage.channels}, {"stride", stage.stride}});
  }
  if (linear_patches) result["linear_patches"] = true;
  return result;
}

int HybridVitConfig::stride() const {
  int stride = 4;  // of the convolution and the pool in front of the stages
  for (const StageConfig& stage : stages) stride *= stage.stride;
  return stride;
}

BackboneFacts HybridVitConfig::facts() const {
  BackboneFacts facts = EncoderFacts(encoder);
  facts.stride = stride();
  return facts;
}

int64_t HybridVitConfig::parameters() const {
  int64_t count = encoder.parameters() + ConvNormParameters(3, stem_channels, 7);
  int64_t in = stem_channels;
  for (const StageConfig& stage : stages) {
    const int64_t out = stage.channels;
    const int64_t middle = out / 4;
    count += ConvNormParameters(in, out, 1);
    for (int b = 0; b < stage.blocks; ++b) {
      count += ConvNormParameters(in, middle, 1) + ConvNormParameters(middle, middle, 3) +
               ConvNormParameters(middle, out, 1);
      in = out;
    }
  }
  if (linear_patches) count += LinearParameters(int64_t{3} * stride() * stride(), encoder.dim);
  return count + LinearParameters(in, encoder.dim);
}

}  // namespace sightline::model
