// The network that training begins with: the architecture of a model.json, its values seeded, those that a checkpoint
// has taken over; and networks of finished models.
//
// Threading: pure functions. Failure: Status for files that cannot be read; LibTorch's exceptions. A tensor that does
// not fit is no failure but a row of the table.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const StartingPoint start, Initialise(text, config.init, config.seed));
//   std::fputs(start.table.c_str(), stdout);
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_INITIALISE_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_INITIALISE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model/config/model_config.h"
#include "model/registry.h"
#include "model/train/run/train_config.h"

namespace sightline::train {

struct StartingPoint {
  std::string model_json;  // as it was, with what the checkpoint decided: the grid of positions
  model::ModelConfig config;
  std::shared_ptr<model::Network> network;
  std::string table;  // what was taken and what was not, for people; empty without a checkpoint
  int64_t taken = 0;  // tensors of the checkpoint
};

absl::StatusOr<StartingPoint> Initialise(const std::string& model_json, const std::optional<InitConfig>& init,
                                         uint64_t seed);

struct FinishedNetwork {
  model::ModelConfig config;
  std::shared_ptr<model::Network> network;
};

// The network of a model directory with weights, not planned yet.
absl::StatusOr<FinishedNetwork> ReadNetwork(const std::string& directory);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_INITIALISE_H_
