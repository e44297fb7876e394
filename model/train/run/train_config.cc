#include "model/train/run/train_config.h"

#include <array>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status.h"
#include "model/config/fields.h"
#include "model/weights/strict_json.h"

namespace sightline::train {
namespace {

using model::Fields;
using nlohmann::json;

constexpr size_t kMaxPath = 4096;
constexpr int64_t kMaxConfigBytes = 1 << 20;
constexpr int64_t kMostSteps = 1'000'000'000;
constexpr int64_t kMostSeed = int64_t{1} << 53;  // exact in every JSON reader
constexpr std::array<absl::string_view, 6> kTargets = {"tokens",     "layers",    "descriptor",
                                                       "similarity", "distances", "angles"};
constexpr std::array<absl::string_view, 3> kMetrics = {"smooth_l1", "mse", "cosine"};
constexpr std::array<absl::string_view, 2> kOptimisers = {"adamw", "sgd"};
constexpr std::array<absl::string_view, 3> kSchedules = {"cosine", "constant", "exponential"};
constexpr std::array<absl::string_view, 2> kProtocols = {"split", "leave_one_out"};
// What may change between a checkpoint and the run that goes on from it.
constexpr const char* kFreeMembers[] = {
    "out", "steps", "epochs", "checkpoint_every", "validate_every", "early_stop", "keep_best", "validation", "note"};

// The member `key` by its own reader; as it is by default where the member is absent.
template <typename Part>
absl::Status ReadPart(Fields& fields, absl::string_view key, Part& part) {
  if (!fields.Has(key)) return absl::OkStatus();
  Fields members(fields.Object(key), fields.Path(key), fields.file());
  SIGHTLINE_ASSIGN_OR_RETURN(part, Part::Parse(members));
  return members.Finish();
}

absl::StatusOr<InitConfig> ParseInit(Fields fields) {
  InitConfig init;
  init.checkpoint = fields.Text("checkpoint", kMaxPath);
  init.key = fields.Text("key", 256, "");
  init.prefix = fields.Text("prefix", 256, "");
  constexpr std::array<absl::string_view, 2> kPositions = {"take", "resize"};
  init.resize_positions = fields.OneOf("positions", kPositions, 0) == 1;
  constexpr std::array<absl::string_view, 2> kHeads = {"seeded", "class_token"};
  init.class_token_head = fields.OneOf("head", kHeads, 0) == 1;
  fields.Require(!init.checkpoint.empty(), "checkpoint", "must not be empty");
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return init;
}

absl::StatusOr<DistillTarget> ParseTarget(Fields fields) {
  DistillTarget target;
  target.kind = static_cast<DistillKind>(fields.OneOf("kind", kTargets));
  target.metric = static_cast<DistillMetric>(fields.OneOf("metric", kMetrics, 0));
  target.weight = fields.Number("weight", 0, 1e6, target.weight);
  if (target.kind == DistillKind::kLayers) target.layers = static_cast<int>(fields.Int("layers", 1, 64));
  const bool tokens = target.kind == DistillKind::kTokens || target.kind == DistillKind::kLayers;
  fields.Require(tokens || target.kind == DistillKind::kDescriptor || target.metric != DistillMetric::kCosine, "metric",
                 "must not be cosine for a relation between photographs");
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return target;
}

absl::StatusOr<DistillConfig> ParseDistill(Fields fields) {
  DistillConfig distill;
  distill.teacher = fields.Text("teacher", kMaxPath);
  distill.size = static_cast<int>(fields.Int("size", 0, 2048, 0));
  const json& targets = fields.List("targets", 1, 8);
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  for (size_t i = 0; i < targets.size(); ++i) {
    const std::string path = fields.Path(absl::StrCat("targets[", i, "]"));
    SIGHTLINE_ASSIGN_OR_RETURN(const DistillTarget target, ParseTarget(Fields(targets[i], path, fields.file())));
    distill.targets.push_back(target);
  }
  return distill;
}

absl::StatusOr<OptimiserConfig> ParseOptimiser(Fields fields) {
  OptimiserConfig config;
  config.kind = static_cast<OptimiserKind>(fields.OneOf("kind", kOptimisers, 0));
  config.lr = fields.Number("lr", 1e-10, 100, config.lr);
  config.loss_lr = fields.Number("loss_lr", 0, 100, config.lr);
  config.weight_decay = fields.Number("weight_decay", 0, 1, config.kind == OptimiserKind::kSgd ? 1e-5 : 0.05);
  config.decay_vectors = fields.Bool("decay_vectors", config.decay_vectors);
  if (config.kind == OptimiserKind::kSgd) {
    config.momentum = fields.Number("momentum", 0, 0.9999, config.momentum);
    config.nesterov = fields.Bool("nesterov", config.nesterov);
    fields.Require(!config.nesterov || config.momentum > 0, "nesterov", "needs a momentum above 0");
  } else {
    config.beta1 = fields.Number("beta1", 0, 0.9999, config.beta1);
    config.beta2 = fields.Number("beta2", 0, 0.999999, config.beta2);
    config.epsilon = fields.Number("epsilon", 1e-16, 1, config.epsilon);
  }
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

absl::StatusOr<ScheduleConfig> ParseSchedule(Fields fields, double lr) {
  ScheduleConfig config;
  config.kind = static_cast<ScheduleKind>(fields.OneOf("kind", kSchedules, 0));
  config.warmup_steps = fields.Int("warmup_steps", 0, kMostSteps, 0);
  if (config.kind == ScheduleKind::kCosine) config.final_lr = fields.Number("final_lr", 0, lr, 0);
  if (config.kind == ScheduleKind::kExponential) config.decay = fields.Number("decay", 0, 10, config.decay);
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

absl::StatusOr<ValidationConfig> ParseValidation(Fields fields) {
  ValidationConfig config;
  config.protocol = static_cast<ValidationProtocol>(fields.OneOf("protocol", kProtocols));
  config.batch = static_cast<int>(fields.Int("batch", 1, 1024, config.batch));
  fields.Require(fields.Has("data"), "data", "is missing");
  SIGHTLINE_RETURN_IF_ERROR(ReadPart(fields, "data", config.data));
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

void ReadNames(Fields& fields, TrainConfig& config) {
  if (fields.Has("freeze")) {
    for (const json& name : fields.List("freeze", 0, 256)) {
      const bool text = name.is_string() && !name.get_ref<const std::string&>().empty();
      fields.Require(text, "freeze", "must hold texts, the beginnings of parameters' names");
      if (text) config.freeze.push_back(name.get<std::string>());
    }
  }
  if (fields.Has("lr_scale")) {
    for (const auto& [prefix, factor] : fields.Object("lr_scale").items()) {
      const bool number = factor.is_number() && factor.get<double>() >= 0 && factor.get<double>() <= 1000;
      fields.Require(number, "lr_scale", "must hold numbers from 0 to 1000");
      if (number) config.lr_scale[prefix] = factor.get<double>();
    }
  }
}

absl::Status ReadParts(Fields& fields, TrainConfig& config) {
  const auto part = [&fields](absl::string_view key) { return Fields(fields.Object(key), key, fields.file()); };
  fields.Require(fields.Has("data"), "data", "is missing");
  SIGHTLINE_RETURN_IF_ERROR(ReadPart(fields, "data", config.data));
  SIGHTLINE_RETURN_IF_ERROR(ReadPart(fields, "sampler", config.sampler));
  SIGHTLINE_RETURN_IF_ERROR(ReadPart(fields, "augment", config.augment));
  SIGHTLINE_RETURN_IF_ERROR(ReadPart(fields, "loss", config.loss));
  if (fields.Has("init")) {
    SIGHTLINE_ASSIGN_OR_RETURN(config.init, ParseInit(part("init")));
  }
  if (fields.Has("validation")) {
    SIGHTLINE_ASSIGN_OR_RETURN(config.validation, ParseValidation(part("validation")));
  }
  if (fields.Has("distill")) {
    SIGHTLINE_ASSIGN_OR_RETURN(config.distill, ParseDistill(part("distill")));
  }
  if (fields.Has("optimiser")) {
    SIGHTLINE_ASSIGN_OR_RETURN(config.optimiser, ParseOptimiser(part("optimiser")));
  }
  if (fields.Has("schedule")) {
    SIGHTLINE_ASSIGN_OR_RETURN(config.schedule, ParseSchedule(part("schedule"), config.optimiser.lr));
  }
  ReadNames(fields, config);
  return absl::OkStatus();
}

void ReadNumbers(Fields& fields, TrainConfig& config) {
  config.model = fields.Text("model", kMaxPath);
  config.note = fields.Text("note", 1024, "");
  config.loss_weight = fields.Number("loss_weight", 0, 1e6, config.loss_weight);
  config.steps = fields.Int("steps", 1, kMostSteps, 0);
  config.epochs = fields.Int("epochs", 1, 1'000'000, 0);
  config.freeze_bn = fields.Bool("freeze_bn", config.freeze_bn);
  config.dropout = fields.Number("dropout", 0, 0.99, config.dropout);
  config.wave_height = fields.Number("wave_height", 0, 1, config.wave_height);
  config.wave_factor = fields.Number("wave_factor", 0, 100, config.wave_factor);
  config.ema = fields.Number("ema", 0, 0.999999, config.ema);
  config.amp = fields.Bool("amp", config.amp);
  config.clip = fields.Number("clip", 0, 1e9, config.clip);
  config.seed = static_cast<uint64_t>(fields.Int("seed", 0, kMostSeed, 1));
  config.checkpoint_every = fields.Int("checkpoint_every", 1, kMostSteps, config.checkpoint_every);
  config.validate_every = fields.Int("validate_every", 1, kMostSteps, config.validate_every);
  config.early_stop = static_cast<int>(fields.Int("early_stop", 0, 1'000'000, config.early_stop));
  config.keep_best = fields.Bool("keep_best", config.keep_best);
  config.out = fields.Text("out", kMaxPath, "");
  fields.Require(!config.model.empty(), "model", "must not be empty");
  fields.Require((config.steps > 0) != (config.epochs > 0), "steps", "or epochs must be given, and only one of them");
}

// Labels that mean a place in one batch only are for losses over pairs; those that mean a city are for none.
void CheckPlaces(Fields& fields, const TrainConfig& config) {
  const LossKind loss = config.loss.kind;
  const bool places = config.sampler.negatives > 0;
  fields.Require(!places || (loss != LossKind::kArcFace && loss != LossKind::kMargin), "loss",
                 "has values for every class, which places found by sampler.negatives do not have: use contrastive, "
                 "triplet_sos or multi_similarity");
  fields.Require(places || config.data.layout != DatasetLayout::kMsls || loss == LossKind::kNone, "sampler",
                 "needs negatives with the layout msls, whose labels are cities: 5, for example");
}

void Override(const TrainOverrides& overrides, json& root) {
  if (overrides.seed.has_value()) root["seed"] = *overrides.seed;
  if (!overrides.steps.has_value()) return;
  root["steps"] = *overrides.steps;
  root.erase("epochs");
}

std::string DecidingSha256(json root) {
  for (const char* const member : kFreeMembers) root.erase(member);
  return base::Sha256Hex(root.dump());
}

}  // namespace

absl::string_view TargetName(DistillKind kind) { return kTargets[static_cast<size_t>(kind)]; }

absl::StatusOr<TrainConfig> ParseTrainConfig(absl::string_view text, absl::string_view file,
                                             const TrainOverrides& overrides) {
  SIGHTLINE_ASSIGN_OR_RETURN(json root, weights::ParseStrictJson(text, file, {.max_bytes = kMaxConfigBytes}));
  if (root.is_object()) Override(overrides, root);
  Fields fields(root, "", file);
  TrainConfig config;
  ReadNumbers(fields, config);
  if (!fields.ok()) return fields.Finish();
  SIGHTLINE_RETURN_IF_ERROR(ReadParts(fields, config));
  const bool learns = config.loss.kind != LossKind::kNone || config.distill.has_value();
  fields.Require(learns, "loss", "is missing, and so is distill: one of them is needed to learn from");
  CheckPlaces(fields, config);
  fields.Require(config.validation.has_value() || (config.early_stop == 0 && !config.keep_best), "validation",
                 "is missing, and early_stop and keep_best need it");
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  config.text_sha256 = DecidingSha256(root);
  return config;
}

}  // namespace sightline::train
