// PlannedConv: a convolution in inference, its weights in the engine's layout, whoever owns the plain ones.
//
// Takes maps of any layout and gives channels-last ones. Threading, ownership and failure as of a Layer.
#ifndef SIGHTLINE_MODEL_LAYERS_PLANNED_CONV_H_
#define SIGHTLINE_MODEL_LAYERS_PLANNED_CONV_H_

#include <memory>
#include <optional>

#include "model/engine/packed_conv.h"
#include "model/layers/conv_shape.h"
#include "model/layers/layer.h"
#include "model/layers/linear.h"

namespace sightline::model {

enum class Pad {
  kShape,  // what the shape says, on all sides
  kSame,   // an output of ceil(n / stride) positions
};

class PlannedConv {
 public:
  // `weight` (out, in / groups, k, k); `bias` (out) or undefined.
  PlannedConv(const PlanOptions& options, const torch::Tensor& weight, const torch::Tensor& bias,
              const ConvShape& shape, Pad pad);

  // activation(conv(x) + b)
  torch::Tensor Forward(const torch::Tensor& x, Activation activation) const;

  // activation(residual + conv(x) + b), written into `residual` where that is channels-last.
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x, Activation activation) const;

 private:
  engine::ConvInput Input(const torch::Tensor& x) const;
  // Windows that neither overlap nor leave anything out.
  torch::Tensor ForwardPatches(const torch::Tensor& images, Activation activation) const;

  const std::shared_ptr<engine::BufferPool> buffers_;
  const ConvShape shape_;
  const Pad pad_;
  std::optional<PlannedLinear> patches_;
  std::optional<engine::PackedConv> packed_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_PLANNED_CONV_H_
