// The margin loss with distance-weighted negatives (Wu et al. 2017), METHODS 3.7.
//
//   loss = sum over anchors of [max(0, d(a, p) - beta + m) + max(0, beta - d(a, n) + m)] / terms above zero
//
// d = sqrt(sum (x - y)^2 + 1e-8) of unit descriptors; beta is learned per class, the anchor's. Every image with a
// partner and a negative is an anchor once: p at random, n with a probability proportional to 1 / q(d(a, n)).
//
// Threading, ownership, failure: as Loss. Chance is LibTorch's default generator.
#ifndef SIGHTLINE_MODEL_TRAIN_LOSS_MARGIN_H_
#define SIGHTLINE_MODEL_TRAIN_LOSS_MARGIN_H_

#include "model/train/loss/loss.h"

namespace sightline::train {

// Images of the batch, int64 (A) each.
struct Triplets {
  torch::Tensor anchors;
  torch::Tensor positives;
  torch::Tensor negatives;
};

// 1 / q(d) relative to the row's largest, 0 where `allowed` is false; q is the density of distances between points
// spread evenly on the unit sphere in n dimensions:
//
//   log 1/q(d) = (2 - n) ln d - ((n - 3) / 2) ln(1 - d^2 / 4), d at least 0.5
//
// 1 - d^2 / 4 is kept above 1e-8, for opposite points. `distances` and `allowed` (B, B).
torch::Tensor DistanceWeights(const torch::Tensor& distances, const torch::Tensor& allowed, int64_t n);

class MarginLoss : public Loss {
 public:
  MarginLoss(const LossConfig& config, int64_t classes);
  torch::Tensor Forward(const torch::Tensor& outputs, const torch::Tensor& labels) override;

  // The two halves of Forward.
  static Triplets Sample(const torch::Tensor& outputs, const torch::Tensor& labels);
  torch::Tensor Of(const torch::Tensor& outputs, const torch::Tensor& labels, const Triplets& triplets) const;

 private:
  const double margin_;
  torch::Tensor beta_;  // (classes)
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_LOSS_MARGIN_H_
