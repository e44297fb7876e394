// Linear: y = x W^T + b over the last dimension.
#ifndef SIGHTLINE_MODEL_LAYERS_LINEAR_H_
#define SIGHTLINE_MODEL_LAYERS_LINEAR_H_

#include "model/layers/layer.h"

namespace sightline::model {

class Linear : public Layer {
 public:
  Linear(int64_t in, int64_t out)
      : weight_(register_parameter("weight", torch::empty({out, in}))),
        bias_(register_parameter("bias", torch::empty({out}))) {}

  // (..., in) -> (..., out)
  torch::Tensor Forward(const torch::Tensor& x) const { return torch::linear(x, weight_, bias_); }

 private:
  torch::Tensor weight_;
  torch::Tensor bias_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_LINEAR_H_
