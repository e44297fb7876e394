// Learner: the network in training with its loss, its teacher, its optimiser and its average; one step at a time.
//
//   L = loss_weight * loss(descriptors, labels) + sum over targets of weight * distill(target)
//
// What a step does depends on the values, the batch, the seed and the number of the step alone: random numbers are
// drawn from a seed of its own for every step.
//
// Threading: one thread at a time. Ownership: network, loss, teacher, state of the optimiser. Failure: Status for parts
// that do not fit each other; LibTorch's exceptions.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const auto learner, Learner::Build(config, start, classes, torch::kCPU));
//   const StepResult result = learner->Step(batch, {.step = 0, .steps = 1000, .epoch = 0});
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_LEARNER_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_LEARNER_H_

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/data/loader.h"
#include "model/train/loss/loss.h"
#include "model/train/run/average.h"
#include "model/train/run/forward.h"
#include "model/train/run/initialise.h"
#include "model/train/run/optimiser.h"
#include "model/train/run/teacher.h"
#include "model/train/run/train_config.h"
#include "model/weights/load.h"

namespace sightline::train {

struct StepPlace {
  int64_t step = 0;   // from 0
  int64_t steps = 0;  // of the run
  int64_t epoch = 0;
};

struct StepResult {
  bool finite = true;  // whether loss and gradient were; nothing was learned otherwise
  double loss = 0;
  std::vector<double> parts;  // as Learner::parts() names them, not weighted
  double gradient_norm = 0;
  double rate = 0;  // the optimiser's lr at this step
};

// The seed of step `step` of a run.
uint64_t StepSeed(uint64_t seed, int64_t step);

class Learner {
 public:
  static absl::StatusOr<std::unique_ptr<Learner>> Build(const TrainConfig& config, const StartingPoint& start,
                                                        int64_t classes, torch::Device device);

  StepResult Step(const LoadedBatch& batch, const StepPlace& place);

  // What the parts of the loss are called: "labels", then a name per target of distillation.
  const std::vector<std::string>& parts() const { return parts_; }
  // What inference would run on: the average where there is one.
  const std::vector<model::NamedTensor>& values() const { return average_ ? average_->values() : values_; }
  // All that a checkpoint has to hold.
  std::vector<model::NamedTensor> State() const;
  // After State's tensors were filled by a checkpoint behind step `step`.
  void SetStep(int64_t step) { optimiser_->set_steps(step); }
  // Name of the teacher's model; empty without one.
  std::string teacher_name() const { return teacher_ == nullptr ? "" : teacher_->config().name; }

 private:
  Learner(const TrainConfig& config, const StartingPoint& start, torch::Device device);
  void Train();
  absl::Status CheckTeacher();
  torch::Tensor Loss(const LoadedBatch& batch, StepResult& result);

  const TrainConfig config_;
  const model::ModelConfig model_;
  const std::shared_ptr<model::Network> network_;
  const torch::Device device_;
  int64_t layers_ = 0;                 // token sequences that targets compare
  std::shared_ptr<train::Loss> loss_;  // null for none
  std::unique_ptr<Teacher> teacher_;   // null for none
  std::vector<model::NamedTensor> values_;
  std::unique_ptr<Optimiser> optimiser_;
  std::optional<Average> average_;
  std::vector<std::string> parts_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_LEARNER_H_
