#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status.h"
#include "model/cpu.h"
#include "model/train/command.h"
#include "model/train/flags.h"
#include "model/train/run/train_config.h"
#include "model/train/run/trainer.h"
#include "model/train/training_flags.h"

namespace sightline::train {
namespace {

constexpr char kTrainUsage[] =
    R"(usage: sightline-train train CONFIG.json [--out DIR] [--resume] [--fp16] [--threads N] [--device cpu|cuda]
                             [--steps N] [--seed N] [--zoo DIR]

Trains a model as a configuration says; docs/training.md has its members. Writes checkpoints, metrics.csv, curves.svg and
curves.png to DIR, and the model to DIR/model.

  --out DIR      the folder to write; instead of the configuration's "out"
  --resume       go on from the newest checkpoint in DIR; without one from the beginning
  --fp16         write the model's matrices as float16
  --threads N    threads for computing, and as many for loading; without it all cores
  --device D     cpu, or cuda with a LibTorch built for it
  --steps N      instead of the configuration's "steps" or "epochs"
  --seed N       instead of the configuration's "seed"
  --zoo DIR      where the zoo is; model/zoo, or as SIGHTLINE_ZOO says

Ctrl-C writes a checkpoint and ends; kill -9 leaves the last one.
)";

constexpr int64_t kMostConfigBytes = 1 << 20;

struct TrainCall {
  TrainConfig config;
  TrainOptions options;
};

absl::StatusOr<TrainCall> ReadTrainCall(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(
      const Flags flags, Flags::Parse(arguments, WithTrainingFlags({{"out", "DIR"}, {"steps", "N"}, {"seed", "N"}})));
  if (flags.positional().size() != 1) {
    return base::InvalidArgument("ARGUMENT_MISSING",
                                 absl::StrCat(flags.positional().size(),
                                              " configurations are given; one is needed. Write `sightline-train train "
                                              "CONFIG.json --out DIR`."));
  }
  TrainOverrides overrides;
  if (flags.Has("steps")) {
    SIGHTLINE_ASSIGN_OR_RETURN(overrides.steps, flags.Integer("steps", 0));
  }
  if (flags.Has("seed")) {
    SIGHTLINE_ASSIGN_OR_RETURN(overrides.seed, flags.Integer("seed", 0));
  }
  const std::string& path = flags.positional()[0];
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMostConfigBytes));
  TrainCall call;
  SIGHTLINE_ASSIGN_OR_RETURN(call.options, ReadTrainingFlags(flags));
  SIGHTLINE_ASSIGN_OR_RETURN(call.config, ParseTrainConfig(text, path, overrides));
  call.config.out = flags.Text("out", call.config.out);
  return call;
}

absl::Status RunTrain(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(TrainCall call, ReadTrainCall(arguments));
  model::UseWholeCpu();
  StopOnSignals(call.options);
  SIGHTLINE_ASSIGN_OR_RETURN(const TrainOutcome outcome, Train(call.config, call.options));
  if (outcome.interrupted) {
    absl::PrintF("stopped behind step %d of %d, with a checkpoint in %s; --resume goes on from there\n", outcome.step,
                 outcome.steps, call.config.out);
    return absl::OkStatus();
  }
  absl::PrintF("wrote %s behind step %d of %d%s\n", outcome.model, outcome.step, outcome.steps,
               outcome.stopped_early ? ", stopped early" : "");
  if (outcome.map.has_value()) {
    absl::PrintF("mAP %.4f, R@1 %.4f; best mAP %.4f at step %d\n", *outcome.map, *outcome.recall_at_1, outcome.best_map,
                 outcome.best_step);
  }
  absl::PrintF("embedding space %s\n", outcome.embedding_space);
  return absl::OkStatus();
}

}  // namespace

Command TrainCommand() { return {"train", "train a model from a configuration", kTrainUsage, RunTrain}; }

}  // namespace sightline::train
