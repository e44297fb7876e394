// One pass of a network for training: the descriptor, and the token sequences that distillation compares.
//
// Threading: as the network's. Failure: LibTorch's exceptions.
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_FORWARD_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_FORWARD_H_

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "model/config/model_config.h"
#include "model/registry.h"

namespace sightline::train {

struct ForwardResult {
  std::vector<torch::Tensor> layers;  // as many as asked for, oldest first
  torch::Tensor descriptor;           // as the head gives it
};

// `layers` may be more than the head needs, which does not see those.
ForwardResult ForwardNetwork(model::Network& network, const model::ModelConfig& config, const torch::Tensor& images,
                             int64_t layers);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_FORWARD_H_
