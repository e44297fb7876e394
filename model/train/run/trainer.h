// A training run from its configuration to a model directory.
//
//   OUT/checkpoint-STEP.safetensors   the newest two, to go on from
//   OUT/best.safetensors              the values of the best validation so far
//   OUT/metrics.csv                   loss, rate, speed, mAP
//   OUT/curves.svg, OUT/curves.png    the same, drawn
//   OUT/model/                        model.json and weights.safetensors, at the end
//
// Threading: one run at a time in a folder, which a lock sees to; LibTorch's threads are set for the whole process.
// Failure: Status in one sentence that says what is wrong and one that says what to do; exceptions of LibTorch end
// here. A loss that is not finite ends the run and leaves the last checkpoint.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const TrainOutcome outcome, Train(config, {.resume = true, .threads = 2}));
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_TRAINER_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_TRAINER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model/train/run/train_config.h"

namespace sightline::train {

struct TrainOptions {
  bool resume = false;
  int threads = 0;  // of LibTorch, and as many for loading; 0: all cores
  bool cuda = false;
  bool half = false;                         // write float16 weights
  std::string zoo = "model/zoo";             // where a model without a path is looked for
  std::function<bool()> wants_to_stop = {};  // asked in front of every step
};

struct TrainOutcome {
  int64_t step = 0;
  int64_t steps = 0;
  bool interrupted = false;         // by wants_to_stop: a checkpoint was written and no model
  bool stopped_early = false;       // by early_stop
  std::optional<double> first_map;  // of this process's first validation
  std::optional<double> map;        // of the last validation
  std::optional<double> recall_at_1;
  double best_map = -1;
  int64_t best_step = -1;
  std::string model;            // the directory written
  std::string embedding_space;  // of it
};

absl::StatusOr<TrainOutcome> Train(const TrainConfig& config, const TrainOptions& options);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_TRAINER_H_
