// The model directory that training ends with.
//
// Threading: pure functions. Failure: Status of the file system; INVALID_ARGUMENT where float16 is too small.
//
//   SIGHTLINE_RETURN_IF_ERROR(WriteTrainedModel(start, record, values, {.out = "runs/tiny/model"}));
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_TRAINED_MODEL_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_TRAINED_MODEL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/config/model_config.h"
#include "model/model.h"
#include "model/train/run/initialise.h"
#include "model/weights/load.h"

namespace sightline::train {

struct TrainedModelOptions {
  std::string out;    // replaced where it holds a model
  bool half = false;  // matrices as float16
};

// model.json is that of `start` with `record` in it and no longer seeded. Loaded once before it is moved to its place,
// to prove that it works.
absl::StatusOr<model::ModelInfo> WriteTrainedModel(const StartingPoint& start, const model::TrainingRecord& record,
                                                   const std::vector<model::NamedTensor>& values,
                                                   const TrainedModelOptions& options);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_TRAINED_MODEL_H_
