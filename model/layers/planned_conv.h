// PlannedConv: a convolution in inference, its weights in the engine's layout, whoever owns the plain ones.
//
// Takes maps of any layout and gives channels-last ones. Threading, ownership and failure as of a Layer.
#ifndef SIGHTLINE_MODEL_LAYERS_PLANNED_CONV_H_
#define SIGHTLINE_MODEL_LAYERS_PLANNED_CONV_H_

#include <memory>
#include <optional>
#include <string>

#include "model/engine/convolution.h"
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
  // `weight` (out, in / groups, k, k); `bias` (out) or undefined. `path` finds the scale of the input where the plan
  // asks for int8.
  PlannedConv(const PlanOptions& options, const std::string& path, const torch::Tensor& weight,
              const torch::Tensor& bias, const ConvShape& shape, Pad pad);

  // activation(conv(x) + b)
  torch::Tensor Forward(const torch::Tensor& x, Activation activation) const;

  // activation(residual + conv(x) + b), written into `residual` where that is channels-last.
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x, Activation activation) const;

 private:
  static std::unique_ptr<engine::Convolution> Pack(const PlanOptions& options, const std::string& path,
                                                   const torch::Tensor& weight, const torch::Tensor& bias,
                                                   const ConvShape& shape);

  // `x` channels-last, as the observer is to see it.
  void Show(const torch::Tensor& x) const;
  engine::ConvInput Input(const torch::Tensor& x) const;
  // Windows that neither overlap nor leave anything out.
  torch::Tensor ForwardPatches(const torch::Tensor& images, Activation activation) const;

  std::shared_ptr<engine::BufferPool> buffers_;
  ConvShape shape_;
  Pad pad_;
  std::optional<PlannedLinear> patches_;
  std::unique_ptr<engine::Convolution> packed_;  // null where patches_ is not
  std::string path_;
  std::shared_ptr<InputObserver> observer_;  // null for none
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_PLANNED_CONV_H_
