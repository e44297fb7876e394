// Activations as LibTorch computes them: while training, and wherever nothing fuses them.
#ifndef SIGHTLINE_MODEL_LAYERS_ACTIVATION_H_
#define SIGHTLINE_MODEL_LAYERS_ACTIVATION_H_

#include <torch/torch.h>

#include "model/engine/activation.h"

namespace sightline::model {

torch::Tensor Activate(const torch::Tensor& x, Activation activation);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_ACTIVATION_H_
