// TrainConfig: everything a training configuration says. docs/training.md has each member; the file may hold nothing
// else.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason INVALID_CONFIG or MALFORMED_JSON and one
// sentence that names the member.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const TrainConfig config, ParseTrainConfig(text, "landmarks.json"));
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_TRAIN_CONFIG_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_TRAIN_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/data/augment_config.h"
#include "model/train/data/dataset_config.h"
#include "model/train/data/sampler_config.h"
#include "model/train/loss/loss_config.h"

namespace sightline::train {

// Where the network's values come from that are not drawn from the seed.
struct InitConfig {
  std::string checkpoint;         // a file that `sightline-train import` reads
  std::string key;                // of the state dict in it; empty: the usual ones are tried
  std::string prefix;             // only tensors of the model whose names begin so
  bool resize_positions = false;  // a position grid of another size is resized; otherwise the model takes its size
  // A DToP head begins as the class token of the last layer, with the mean of the last layer's patches in what is left
  // of the descriptor, instead of as the seed says.
  bool class_token_head = false;
};

enum class DistillKind {
  kTokens,      // the token sequence of the last layer
  kLayers,      // those of the last layers
  kDescriptor,  // the descriptor, L2-normalised
  kSimilarity,  // cosines between the descriptors of a batch, which need no equal sizes
  kDistances,   // distances between them, over their mean (RKD, Park et al. 2019)
  kAngles,      // angles of all triplets (RKD)
};

// "tokens", "layers" and so on.
absl::string_view TargetName(DistillKind kind);

enum class DistillMetric { kSmoothL1, kMse, kCosine };

struct DistillTarget {
  DistillKind kind = DistillKind::kDescriptor;
  DistillMetric metric = DistillMetric::kSmoothL1;
  double weight = 1;
  int layers = 1;  // kLayers
};

struct DistillConfig {
  std::string teacher;  // a model directory with weights
  std::vector<DistillTarget> targets;
  int size = 0;  // pixels of the square that the teacher sees; 0: what the student sees, where it can take that
};

enum class OptimiserKind { kAdamw, kSgd };

struct OptimiserConfig {
  OptimiserKind kind = OptimiserKind::kAdamw;
  double lr = 3e-4;
  double weight_decay = 0.05;
  bool decay_vectors = false;  // whether biases and norms decay, too
  double momentum = 0.9;       // kSgd
  bool nesterov = false;
  double beta1 = 0.9;  // kAdamw
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double loss_lr = 3e-4;  // of the loss's own parameters; lr unless it is given
};

enum class ScheduleKind { kCosine, kConstant, kExponential };

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::kCosine;
  int64_t warmup_steps = 0;
  double final_lr = 0;  // kCosine
  double decay = 0.01;  // kExponential: lr * e^(-decay * epoch)
};

enum class ValidationProtocol {
  kSplit,        // the dataset's queries against its other photographs
  kLeaveOneOut,  // every photograph against all others
};

struct ValidationConfig {
  DatasetConfig data;
  ValidationProtocol protocol = ValidationProtocol::kLeaveOneOut;
  int batch = 16;
};

struct TrainConfig {
  std::string text_sha256;  // of the members that decide the weights, lower-case hex
  std::string note;         // what the photographs are, for model.json; empty: the name of their folder
  std::string model;        // a folder of the zoo or the path of a model.json
  std::optional<InitConfig> init;
  DatasetConfig data;
  std::optional<ValidationConfig> validation;
  SamplerConfig sampler;
  AugmentConfig augment;
  LossConfig loss = {.kind = LossKind::kNone};
  double loss_weight = 1;
  std::optional<DistillConfig> distill;
  OptimiserConfig optimiser;
  ScheduleConfig schedule;
  int64_t steps = 0;  // one of these two
  int64_t epochs = 0;
  std::vector<std::string> freeze;         // parameters whose names begin so are not trained
  std::map<std::string, double> lr_scale;  // by the beginning of a name, the longest counts
  bool freeze_bn = false;                  // the backbone's batch norms keep their statistics
  double dropout = 0;                      // of the head
  double wave_height = 0;                  // WaveBlock, of ELM
  double wave_factor = 1.5;
  double ema = 0;    // 0: none
  bool amp = false;  // on a GPU
  double clip = 0;   // most norm of the gradient; 0: no limit
  uint64_t seed = 1;
  int64_t checkpoint_every = 500;  // steps
  int64_t validate_every = 500;
  int early_stop = 0;      // validations without a better mAP; 0: never
  bool keep_best = false;  // the model written is the best by validation, not the last
  std::string out;
};

// What the command line says instead of the file.
struct TrainOverrides {
  std::optional<int64_t> steps;  // also instead of "epochs"
  std::optional<int64_t> seed;
};

// `file` is what the file is called in errors.
absl::StatusOr<TrainConfig> ParseTrainConfig(absl::string_view text, absl::string_view file,
                                             const TrainOverrides& overrides = {});

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_TRAIN_CONFIG_H_
