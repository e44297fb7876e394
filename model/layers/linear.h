// Linear: y = x W^T + b over the last dimension, with what follows it.
#ifndef SIGHTLINE_MODEL_LAYERS_LINEAR_H_
#define SIGHTLINE_MODEL_LAYERS_LINEAR_H_

#include "model/layers/activation.h"
#include "model/layers/layer.h"

namespace sightline::model {

class Linear : public Layer {
 public:
  Linear(int64_t in, int64_t out, bool bias = true);

  // activation(x W^T + b): (..., in) -> (..., out)
  torch::Tensor Forward(const torch::Tensor& x, Activation activation = Activation::kNone) const;

  // residual + x W^T + b. In inference the sum may be written into `residual`, which is not to be read again.
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x) const;

 private:
  torch::Tensor weight_;
  torch::Tensor bias_;  // undefined without one
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_LINEAR_H_
