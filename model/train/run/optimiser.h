// Optimisers whose state has names, so that a checkpoint can hold it: AdamW and SGD.
//
//   AdamW (Loshchilov and Hutter 2019): p -= lr wd p; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
//       p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
//   SGD: g += wd p; m = momentum m + g (m = g at the first step); p -= lr (g + momentum m if nesterov, else m)
//
// Threading: one thread at a time. Ownership: shares the parameters' memory. Failure: LibTorch's exceptions.
//
//   Optimiser optimiser(config, PlanParameters(...));
//   loss.backward(); optimiser.Step(factor); optimiser.ZeroGradients();
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_OPTIMISER_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_OPTIMISER_H_

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/train/run/train_config.h"
#include "model/weights/load.h"

namespace sightline::train {

struct TrainedParameter {
  std::string name;
  torch::Tensor tensor;
  double lr = 0;
  double weight_decay = 0;
};

// What of `network` is trained, and how: parameters whose names begin with one of config.freeze are taken out of the
// graph; the longest fitting prefix of config.lr_scale counts; vectors do not decay unless decay_vectors. Those of
// `loss` follow under names that begin with "loss/".
std::vector<TrainedParameter> PlanParameters(const TrainConfig& config, torch::nn::Module& network,
                                             torch::nn::Module* loss);

// The norm of all gradients as one vector.
double GradientNorm(const std::vector<TrainedParameter>& parameters);

class Optimiser {
 public:
  Optimiser(const OptimiserConfig& config, std::vector<TrainedParameter> parameters);

  // One step with all rates times `factor` and all gradients times `gradient_scale`. A parameter without a gradient
  // stays as it is.
  void Step(double factor, double gradient_scale = 1);
  void ZeroGradients();

  const std::vector<TrainedParameter>& parameters() const { return parameters_; }
  // The moments, named "NAME/first" and "NAME/second"; filled by a checkpoint in place.
  std::vector<model::NamedTensor> State() const;
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }

 private:
  void StepAdamw(size_t index, const torch::Tensor& gradient, double factor);
  void StepSgd(size_t index, const torch::Tensor& gradient, double factor);

  const OptimiserConfig config_;
  std::vector<TrainedParameter> parameters_;
  std::vector<torch::Tensor> first_;
  std::vector<torch::Tensor> second_;  // empty for SGD
  int64_t steps_ = 0;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_OPTIMISER_H_
