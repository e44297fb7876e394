#include "model/layers/activation.h"

namespace sightline::model {

torch::Tensor Activate(torch::Tensor x, Activation activation) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return x.relu_();
    case Activation::kRelu6: return torch::hardtanh_(x, 0, 6);  // whose gradient needs the result alone, unlike clamp's
    case Activation::kGelu: return torch::gelu(x);
    case Activation::kQuickGelu: return x * torch::sigmoid(1.702 * x);
  }
  return x;
}

}  // namespace sightline::model
