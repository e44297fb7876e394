// ArcFace (Deng et al. 2019) with sub-centres (Deng et al. 2020), METHODS 1.6.
//
//   cos_c = max over k of w_ck . x, both of unit length
//   phi   = cos(theta + m) where cos_y > cos(pi - m), else cos_y - m sin(pi - m), for the true class y
//   loss  = mean over the batch of the cross-entropy of s (cos_1, ..., phi, ..., cos_C)
//
// The second branch goes on where cos(theta + m) would rise again, so that an angle beyond pi - m still costs more.
//
// Threading, ownership, failure: as Loss.
#ifndef SIGHTLINE_MODEL_TRAIN_LOSS_ARCFACE_H_
#define SIGHTLINE_MODEL_TRAIN_LOSS_ARCFACE_H_

#include "model/train/loss/loss.h"

namespace sightline::train {

class ArcFace : public Loss {
 public:
  // Class weights (classes * sub_centres, dim), those of a class one after another, drawn after Glorot.
  ArcFace(const LossConfig& config, int64_t dim, int64_t classes);
  torch::Tensor Forward(const torch::Tensor& outputs, const torch::Tensor& labels) override;

 private:
  const double margin_;
  const double scale_;
  const int64_t sub_centres_;
  torch::Tensor weight_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_LOSS_ARCFACE_H_
