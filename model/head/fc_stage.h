// The linear map that may end a head: L2 or not, linear, batch norm or not.
//
// Not a layer itself: the head that owns it has its parameters, under the names fc.{weight,bias} and bn.*.
#ifndef SIGHTLINE_MODEL_HEAD_FC_STAGE_H_
#define SIGHTLINE_MODEL_HEAD_FC_STAGE_H_

#include <memory>
#include <optional>

#include "model/config/fc_config.h"
#include "model/layers/layer.h"
#include "model/layers/linear.h"
#include "model/layers/norm.h"

namespace sightline::model {

// x / (|x| + 1e-6) over the last dimension: the normalisation inside the GeM family's heads and between the regions of
// R-MAC (METHODS 4.4, 4.5).
torch::Tensor L2Plus(const torch::Tensor& x);

class FcStage {
 public:
  FcStage(Layer& owner, const std::optional<FcConfig>& config, int64_t in);
  // (B, in) -> (B, dim); without a configuration x as it is.
  torch::Tensor Forward(const torch::Tensor& x) const;
  // In front of the linear map, while that is in training mode.
  void UseDropout(double probability) { dropout_ = probability; }

 private:
  double dropout_ = 0;
  bool l2_before_ = false;
  std::shared_ptr<Linear> fc_;
  std::shared_ptr<BatchNorm> bn_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_FC_STAGE_H_
