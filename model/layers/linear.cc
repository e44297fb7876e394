#include "model/layers/linear.h"

namespace sightline::model {

Linear::Linear(int64_t in, int64_t out, bool bias)
    : weight_(register_parameter("weight", torch::empty({out, in}))),
      bias_(bias ? register_parameter("bias", torch::empty({out})) : torch::Tensor()) {}

torch::Tensor Linear::Forward(const torch::Tensor& x, Activation activation) const {
  return Activate(torch::linear(x, weight_, bias_), activation);
}

torch::Tensor Linear::AddTo(const torch::Tensor& residual, const torch::Tensor& x) const {
  return residual + torch::linear(x, weight_, bias_);
}

}  // namespace sightline::model
