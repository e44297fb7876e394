// What the verbs that train have in common: flags, and how a signal stops them.
//
//   --resume, --fp16, --threads N, --device cpu|cuda, --zoo DIR
//
// Threading: from the main thread. Failure: INVALID_ARGUMENT that names the flag.
//
//   Flags::Parse(arguments, WithTrainingFlags({{"out", "DIR"}}));
//   SIGHTLINE_ASSIGN_OR_RETURN(TrainOptions options, ReadTrainingFlags(flags));
//   StopOnSignals(options);
#ifndef SIGHTLINE_MODEL_TRAIN_TRAINING_FLAGS_H_
#define SIGHTLINE_MODEL_TRAIN_TRAINING_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/flags.h"
#include "model/train/run/trainer.h"

namespace sightline::train {

// `own` and the common ones.
std::vector<FlagSpec> WithTrainingFlags(std::vector<FlagSpec> own);

// What --zoo says; without it SIGHTLINE_ZOO, then model/zoo.
std::string ZooFolder(const Flags& flags);

absl::StatusOr<TrainOptions> ReadTrainingFlags(const Flags& flags);

// From now on SIGINT and SIGTERM make `options` want to stop; a second one of them ends the process as it always did.
void StopOnSignals(TrainOptions& options);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_TRAINING_FLAGS_H_
