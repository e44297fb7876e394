#include "model/layers/activation.h"

namespace sightline::model {

torch::Tensor Activate(const torch::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return torch::relu(x);
    case Activation::kRelu6: return torch::clamp(x, 0, 6);
    case Activation::kGelu: return torch::gelu(x);
    case Activation::kQuickGelu: return x * torch::sigmoid(1.702 * x);
  }
  return x;
}

}  // namespace sightline::model
