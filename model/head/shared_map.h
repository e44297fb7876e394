// Heads whose one linear map C -> Ct serves the image and every patch, so that re-ranking compares patches in the space
// of the descriptor: "linear" (METHODS 3.1) and "diml" (METHODS 4.1).
//
// Parameter names: linear's fc.{weight,bias}; diml's last_linear.{weight (Ct, C, 1, 1),bias}.
#ifndef SIGHTLINE_MODEL_HEAD_SHARED_MAP_H_
#define SIGHTLINE_MODEL_HEAD_SHARED_MAP_H_

#include <memory>

#include "model/config/token_config.h"
#include "model/head/head.h"
#include "model/layers/conv.h"
#include "model/layers/linear.h"

namespace sightline::model {

// Of the class token, or of the mean of the map where there is none.
class LinearHead : public Head {
 public:
  LinearHead(const LinearConfig& config, int64_t dim);
  torch::Tensor Forward(const Features& features) override;
  torch::Tensor ProjectTokens(const torch::Tensor& x) const override;

 private:
  std::shared_ptr<Linear> fc_;
};

// The mean of a 1x1 convolution over the map, computed as the convolution of the mean.
class DimlHead : public Head {
 public:
  DimlHead(const DimlConfig& config, int64_t dim);
  torch::Tensor Forward(const Features& features) override;
  torch::Tensor ProjectTokens(const torch::Tensor& x) const override;

 private:
  std::shared_ptr<Conv> last_linear_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_SHARED_MAP_H_
