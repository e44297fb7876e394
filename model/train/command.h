// A verb of `sightline-train`: what it is called, how it is used, and what it does.
//
// Threading: main calls one of them once. Failure: a Status, which main prints; INVALID_ARGUMENT becomes exit code 2,
// anything else 1.
//
//   const Command scenes = ScenesCommand();
//   absl::Status status = scenes.run(arguments);
#ifndef SIGHTLINE_MODEL_TRAIN_COMMAND_H_
#define SIGHTLINE_MODEL_TRAIN_COMMAND_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace sightline::train {

struct Command {
  std::string name;
  std::string summary;  // one line
  std::string usage;    // printed by `sightline-train NAME --help`
  // Gets the arguments behind the verb, of which none is --help.
  std::function<absl::Status(const std::vector<std::string>& arguments)> run;
};

Command AblateCommand();
Command CalibrateCommand();
Command ImportCommand();
Command LandmarksCommand();
Command ScenesCommand();
Command PixelBaselineCommand();
Command TokensCommand();
Command TrainCommand();
Command WhitenCommand();

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_COMMAND_H_
