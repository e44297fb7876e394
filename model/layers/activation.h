// Activations that follow a linear map or a convolution, so that a planned layer can fuse them.
#ifndef SIGHTLINE_MODEL_LAYERS_ACTIVATION_H_
#define SIGHTLINE_MODEL_LAYERS_ACTIVATION_H_

#include <torch/torch.h>

namespace sightline::model {

enum class Activation {
  kNone,
  kRelu,
  kRelu6,
  kGelu,       // exact, by erf
  kQuickGelu,  // x sigmoid(1.702 x)
};

torch::Tensor Activate(const torch::Tensor& x, Activation activation);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_ACTIVATION_H_
