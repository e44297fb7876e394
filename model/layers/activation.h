// Activations as LibTorch computes them: while training, and wherever nothing fuses them.
#ifndef SIGHTLINE_MODEL_LAYERS_ACTIVATION_H_
#define SIGHTLINE_MODEL_LAYERS_ACTIVATION_H_

#include <torch/torch.h>

#include "model/engine/activation.h"

namespace sightline::model {

// The result may be written into `x`, which is not to be read again: maps of a training batch are larger than the
// caches. `x` must be the result of an operation whose gradient does not need it (linear maps, convolutions, norms,
// sums).
torch::Tensor Activate(torch::Tensor x, Activation activation);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_ACTIVATION_H_
