// GeM: the generalised mean of a map, channel by channel (METHODS 4.3).
//
//   d_c = (mean over positions of max(x_c, 1e-6)^p)^(1/p)
#ifndef SIGHTLINE_MODEL_HEAD_GEM_H_
#define SIGHTLINE_MODEL_HEAD_GEM_H_

#include <optional>

#include "model/layers/layer.h"

namespace sightline::model {

// One exponent for all channels: the parameter "p" (1), or a fixed one without a parameter.
class GemPool : public Layer {
 public:
  explicit GemPool(std::optional<double> fixed_p);
  // (B, C, h, w) -> (B, C)
  torch::Tensor Forward(const torch::Tensor& map) const;
  void Plan(const PlanOptions& options) override;
  double exponent() const;

 private:
  torch::Tensor p_;                  // undefined with a fixed exponent
  std::optional<double> planned_p_;  // the exponent as a number
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_GEM_H_
