// Linear: y = x W^T + b over the last dimension, with what follows it.
#ifndef SIGHTLINE_MODEL_LAYERS_LINEAR_H_
#define SIGHTLINE_MODEL_LAYERS_LINEAR_H_

#include <memory>
#include <optional>

#include "model/engine/linear_map.h"
#include "model/layers/activation.h"
#include "model/layers/layer.h"

namespace sightline::model {

// A linear map in inference: weights in the engine's layout, whoever owns the plain ones. With integer products if the
// plan asks for int8.
class PlannedLinear {
 public:
  // `weight` (out, in, ...) with all dimensions but the first read as one; `bias` (out) or undefined.
  PlannedLinear(const PlanOptions& options, const torch::Tensor& weight, const torch::Tensor& bias);

  // activation(x W^T + b): (..., in) -> (..., out), contiguous.
  torch::Tensor Forward(const torch::Tensor& x, Activation activation) const;

  // activation(residual + x W^T + b), written into `residual` where that is contiguous.
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x, Activation activation) const;

 private:
  std::shared_ptr<engine::BufferPool> buffers_;
  int64_t out_ = 0;
  std::unique_ptr<engine::LinearMap> packed_;
};

class Linear : public Layer {
 public:
  Linear(int64_t in, int64_t out, bool bias = true);

  // activation(x W^T + b): (..., in) -> (..., out)
  torch::Tensor Forward(const torch::Tensor& x, Activation activation = Activation::kNone) const;

  // residual + x W^T + b. In inference the sum may be written into `residual`, which is not to be read again.
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x) const;

  void Plan(const PlanOptions& options) override;

 private:
  torch::Tensor weight_;
  torch::Tensor bias_;  // undefined without one
  std::optional<PlannedLinear> planned_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_LINEAR_H_
