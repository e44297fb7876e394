#include "model/config/model_config.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/config/fields.h"
#include "model/config/rerank_config.h"
#include "model/weights/strict_json.h"

namespace sightline::model {
namespace {

using nlohmann::json;

constexpr int64_t kMaxSeed = int64_t{1} << 53;  // exact in every JSON reader
constexpr std::array<absl::string_view, 1> kFilters = {"bicubic"};
constexpr std::array<absl::string_view, 3> kModes = {"fit", "squash", "centre_crop"};
constexpr std::array<absl::string_view, 2> kMerges = {"mean", "power"};
constexpr std::array<absl::string_view, 3> kProjections = {"orthonormal", "stored", "head"};
constexpr std::array<absl::string_view, 4> kImportance = {"cls_attention", "centre", "rollout", "norm"};
constexpr std::array<absl::string_view, 3> kPrecisions = {"int8", "float16", "float32"};
// A side beyond this makes attention over the tokens of one image take minutes.
constexpr double kMaxSide = 4096;

std::array<float, 3> Channels(const std::vector<double>& values) {
  std::array<float, 3> channels{};
  for (size_t c = 0; c < std::min(values.size(), channels.size()); ++c) channels[c] = static_cast<float>(values[c]);
  return channels;
}

absl::StatusOr<PreprocessConfig> ParsePreprocess(const json& value) {
  Fields fields(value, "preprocess");
  PreprocessConfig config;
  config.version = static_cast<int>(fields.Int("version", 1, 1));
  config.mode = static_cast<ResizeMode>(fields.OneOf("mode", kModes, 0));
  config.image_size = static_cast<int>(fields.Int("image_size", 16, static_cast<int64_t>(kMaxSide)));
  if (config.mode == ResizeMode::kCentreCrop) {
    config.short_side = static_cast<int>(fields.Int("short_side", config.image_size, static_cast<int64_t>(kMaxSide)));
  }
  config.size_multiple = static_cast<int>(fields.Int("size_multiple", 1, 256, config.size_multiple));
  config.enlarge = fields.Bool("enlarge", config.enlarge);
  fields.OneOf("filter", kFilters);
  config.mean = Channels(fields.Numbers("mean", 3, 3, 0, 1));
  config.std = Channels(fields.Numbers("std", 3, 3, 0.01, 1));
  config.aspect_ratios = fields.Numbers("aspect_ratios", 0, 64, 0.1, 10);
  config.scales = fields.Numbers("scales", 1, 8, 0.1, 4);
  config.merge = static_cast<ScaleMerge>(fields.OneOf("merge", kMerges, static_cast<int>(config.merge)));
  fields.Require(config.size_multiple <= config.image_size, "size_multiple", "must be at most image_size");
  if (config.mode != ResizeMode::kFit) {
    fields.Require(config.aspect_ratios.empty(), "aspect_ratios", "must be empty: the mode gives every image one size");
    fields.Require(config.image_size % config.size_multiple == 0, "image_size", "must be a multiple of size_multiple");
  }
  if (!config.scales.empty()) {
    const double largest = *std::max_element(config.scales.begin(), config.scales.end());
    fields.Require(config.image_size * largest <= kMaxSide, "scales",
                   absl::StrCat("times image_size must be at most ", kMaxSide));
  }
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

absl::StatusOr<TokensConfig> ParseTokens(const json& value, const BackboneFacts& backbone) {
  Fields fields(value, "tokens");
  TokensConfig config;
  config.dim = static_cast<int>(fields.Int("dim", 1, 1024));
  config.max_cells = static_cast<int>(fields.Int("max_cells", 1, 4096, config.max_cells));
  config.importance = static_cast<Importance>(fields.OneOf("importance", kImportance));
  config.precision = static_cast<TokenPrecision>(fields.OneOf("precision", kPrecisions, 0));
  fields.Require(config.dim <= backbone.dim, "dim", absl::StrCat("must be at most the backbone's dim, ", backbone.dim));
  fields.Require(config.importance != Importance::kClsAttention || backbone.class_token, "importance",
                 "must not be cls_attention: the backbone has no class token");
  fields.Require(config.importance != Importance::kRollout || backbone.rollout, "importance",
                 "must not be rollout: the backbone offers no attention over the whole image to follow");
  Fields projection(fields.Object("projection"), "tokens.projection");
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  config.projection = static_cast<TokenProjection>(projection.OneOf("type", kProjections));
  if (config.projection == TokenProjection::kOrthonormal) {
    config.projection_seed = static_cast<uint64_t>(projection.Int("seed", 0, kMaxSeed));
  }
  SIGHTLINE_RETURN_IF_ERROR(projection.Finish());
  return config;
}

absl::StatusOr<WhiteningConfig> ParseWhitening(const json& value, int descriptor_dim) {
  Fields fields(value, "whitening");
  WhiteningConfig config;
  config.dim = static_cast<int>(fields.Int("dim", 1, descriptor_dim));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

absl::StatusOr<SourceConfig> ParseSource(const json& value) {
  Fields fields(value, "source");
  SourceConfig config;
  config.file = fields.Text("file", 1024);
  config.sha256 = fields.Text("sha256", 64);
  config.format = fields.Text("format", 64);
  config.wrapper = fields.Text("wrapper", 1024, "");
  config.names = fields.Text("names", 64);
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

absl::StatusOr<TrainingRecord> ParseTraining(const json& value) {
  Fields fields(value, "training");
  constexpr size_t kMaxPath = 4096;
  TrainingRecord record;
  record.data = fields.Text("data", kMaxPath);
  record.photographs = fields.Int("photographs", 0, kMaxSeed);
  record.classes = fields.Int("classes", 0, kMaxSeed);
  record.steps = fields.Int("steps", 0, kMaxSeed);
  record.init = fields.Text("init", kMaxPath, "");
  record.teacher = fields.Text("teacher", kMaxPath, "");
  record.seed = fields.Int("seed", 0, kMaxSeed);
  record.config_sha256 = fields.Text("config_sha256", 64);
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return record;
}

absl::StatusOr<std::vector<std::string>> ParseSeeded(const json& list) {
  std::vector<std::string> parts;
  for (const json& part : list) {
    if (!part.is_string()) {
      return base::InvalidArgument("INVALID_MODEL_CONFIG",
                                   "model.json: \"seeded\" must hold texts, the parts that are not trained. "
                                   "Correct model.json.");
    }
    parts.push_back(part.get<std::string>());
  }
  return parts;
}

// Rules between the parts of the file.
absl::Status CheckParts(const ModelConfig& config) {
  SIGHTLINE_RETURN_IF_ERROR(CheckTogether(config.backbone, config.head));
  const int shared_dim = Facts(config.head).token_dim;
  if (config.tokens.projection == TokenProjection::kHead && config.tokens.dim != shared_dim) {
    const std::string what = shared_dim == 0 ? "shares no map with the patches"
                                             : absl::StrCat("maps patches to ", shared_dim, " dimensions");
    return base::InvalidArgument(
        "INVALID_MODEL_CONFIG",
        absl::StrCat("model.json: tokens.projection is head with ", config.tokens.dim, " dimensions; the head ",
                     TypeName(config.head), " ", what, ". Use that number, or another projection."));
  }
  if (config.preprocess.merge == ScaleMerge::kPower && !Facts(config.head).positive) {
    return base::InvalidArgument(
        "INVALID_MODEL_CONFIG",
        absl::StrCat("model.json: preprocess.merge is power; the head ", TypeName(config.head),
                     " does not end with GeM, whose exponent it needs. Use mean, or a head gem without fc."));
  }
  const BackboneFacts facts = Facts(config.backbone);
  if (facts.whole_cells && config.preprocess.size_multiple % facts.stride != 0) {
    return base::InvalidArgument(
        "INVALID_MODEL_CONFIG",
        absl::StrCat("model.json: preprocess.size_multiple is ", config.preprocess.size_multiple, "; the backbone ",
                     TypeName(config.backbone), " needs a multiple of ", facts.stride, ". Correct model.json."));
  }
  if (const int64_t parameters = config.parameters(); parameters > kMaxParameters) {
    return base::InvalidArgument(
        "MODEL_TOO_LARGE",
        absl::StrCat("model.json describes a model of ", parameters, " parameters; the limit is ", kMaxParameters,
                     ". Use a smaller architecture."),
        {{"actual", absl::StrCat(parameters)}, {"limit", absl::StrCat(kMaxParameters)}});
  }
  return absl::OkStatus();
}

}  // namespace

int64_t ModelConfig::parameters() const {
  const int64_t count = CountParameters(backbone) + CountParameters(backbone, head);
  if (!whitening.has_value()) return count;
  return count + int64_t{DescriptorDim(backbone, head)} * (1 + whitening->dim);
}

int ModelConfig::descriptor_dim() const {
  return whitening.has_value() ? whitening->dim : DescriptorDim(backbone, head);
}

absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view text) {
  SIGHTLINE_ASSIGN_OR_RETURN(const json root, weights::ParseStrictJson(text, "model.json", {.max_bytes = 1 << 20}));
  Fields fields(root, "");
  fields.Int("format", 1, 1);
  ModelConfig config;
  config.name = fields.Text("name", 64);
  config.provenance = fields.Text("provenance", 4096);
  config.seed = static_cast<uint64_t>(fields.Int("seed", 0, kMaxSeed, 0));
  fields.Require(!config.name.empty(), "name", "must not be empty");
  const json& backbone = fields.Object("backbone");
  const json& head = fields.Object("head");
  const json& preprocess = fields.Object("preprocess");
  const json& tokens = fields.Object("tokens");
  const json* const rerank = fields.Has("rerank") ? &fields.Object("rerank") : nullptr;
  const bool whitened = fields.Has("whitening");
  const json whitening = whitened ? fields.Object("whitening") : json();
  const json* const source = fields.Has("source") ? &fields.Object("source") : nullptr;
  const json* const training = fields.Has("training") ? &fields.Object("training") : nullptr;
  const json* const seeded = fields.Has("seeded") ? &fields.List("seeded", 0, 8) : nullptr;
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  if (source != nullptr) {
    SIGHTLINE_ASSIGN_OR_RETURN(config.source, ParseSource(*source));
  }
  if (training != nullptr) {
    SIGHTLINE_ASSIGN_OR_RETURN(config.training, ParseTraining(*training));
  }
  if (seeded != nullptr) {
    SIGHTLINE_ASSIGN_OR_RETURN(config.seeded, ParseSeeded(*seeded));
  }

  SIGHTLINE_ASSIGN_OR_RETURN(config.backbone, ParseBackbone(backbone));
  SIGHTLINE_ASSIGN_OR_RETURN(config.head, ParseHead(head));
  SIGHTLINE_ASSIGN_OR_RETURN(config.preprocess, ParsePreprocess(preprocess));
  SIGHTLINE_ASSIGN_OR_RETURN(config.tokens, ParseTokens(tokens, Facts(config.backbone)));
  config.rerank = DefaultRerank(config.backbone);
  if (rerank != nullptr) {
    SIGHTLINE_ASSIGN_OR_RETURN(config.rerank, ParseRerank(*rerank, config.rerank));
    config.names_rerank_method = rerank->contains("method");
  }
  if (whitened) {
    SIGHTLINE_ASSIGN_OR_RETURN(config.whitening,
                               ParseWhitening(whitening, DescriptorDim(config.backbone, config.head)));
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckParts(config));
  return config;
}

json ToJson(const PreprocessConfig& config) {
  json result = {{"version", config.version},
                 {"image_size", config.image_size},
                 {"size_multiple", config.size_multiple},
                 {"enlarge", config.enlarge},
                 {"filter", std::string(kFilters[0])},
                 {"mean", config.mean},
                 {"std", config.std},
                 {"aspect_ratios", config.aspect_ratios},
                 {"scales", config.scales},
                 {"merge", std::string(kMerges[static_cast<size_t>(config.merge)])}};
  if (config.mode != ResizeMode::kFit) result["mode"] = std::string(kModes[static_cast<size_t>(config.mode)]);
  if (config.mode == ResizeMode::kCentreCrop) result["short_side"] = config.short_side;
  return result;
}

json ToJson(const TokensConfig& config) {
  json projection = {{"type", std::string(kProjections[static_cast<size_t>(config.projection)])}};
  if (config.projection == TokenProjection::kOrthonormal) projection["seed"] = config.projection_seed;
  json result = {{"dim", config.dim},
                 {"max_cells", config.max_cells},
                 {"projection", std::move(projection)},
                 {"importance", std::string(kImportance[static_cast<size_t>(config.importance)])}};
  if (config.precision != TokenPrecision::kInt8) {
    result["precision"] = std::string(kPrecisions[static_cast<size_t>(config.precision)]);
  }
  return result;
}

json ToJson(const SourceConfig& config) {
  return {{"file", config.file},
          {"sha256", config.sha256},
          {"format", config.format},
          {"wrapper", config.wrapper},
          {"names", config.names}};
}

json ToJson(const TrainingRecord& record) {
  return {{"data", record.data},       {"photographs", record.photographs},
          {"classes", record.classes}, {"steps", record.steps},
          {"init", record.init},       {"teacher", record.teacher},
          {"seed", record.seed},       {"config_sha256", record.config_sha256}};
}

}  // namespace sightline::model
