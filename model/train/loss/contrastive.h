// The contrastive loss (Hadsell et al. 2006) in cirtorch's form, METHODS 4.5, over all pairs of a batch.
//
//   loss = mean over positive pairs of d^2 / 2 + mean over negative pairs with d < m of (m - d)^2 / 2
//
// d is the distance of unit descriptors. Each kind of pair has its own mean: in a batch there are many times more
// negative pairs than positive ones, and those farther than the margin say nothing.
//
// Threading, ownership, failure: as Loss.
#ifndef SIGHTLINE_MODEL_TRAIN_LOSS_CONTRASTIVE_H_
#define SIGHTLINE_MODEL_TRAIN_LOSS_CONTRASTIVE_H_

#include "model/train/loss/loss.h"

namespace sightline::train {

class Contrastive : public Loss {
 public:
  explicit Contrastive(const LossConfig& config) : margin_(config.margin) {}
  torch::Tensor Forward(const torch::Tensor& outputs, const torch::Tensor& labels) override;

 private:
  const double margin_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_LOSS_CONTRASTIVE_H_
