// Triplet loss on squared distances with second-order similarity (SOSNet, Tian et al. 2019; SOLAR, Ng et al. 2020;
// METHODS 4.7), with the hardest triplets of a batch.
//
//   triplet_a = sum over n of max(0, d^2(a, p) - d^2(a, n) + m)
//   sos_a     = sqrt(sum over n of (d^2(a, n) - d^2(p, n))^2)
//   loss      = mean over anchors of triplet_a + sos_weight sos_a
//
// p is the farthest image of the anchor's class and n the kNegatives nearest ones of other classes, as many as the
// recipe mines, which is what its weight of 10 is made for. Images without both are no anchors.
//
// Threading, ownership, failure: as Loss.
#ifndef SIGHTLINE_MODEL_TRAIN_LOSS_TRIPLET_SOS_H_
#define SIGHTLINE_MODEL_TRAIN_LOSS_TRIPLET_SOS_H_

#include "model/train/loss/loss.h"

namespace sightline::train {

class TripletSos : public Loss {
 public:
  static constexpr int64_t kNegatives = 5;

  explicit TripletSos(const LossConfig& config) : margin_(config.margin), sos_weight_(config.sos_weight) {}
  torch::Tensor Forward(const torch::Tensor& outputs, const torch::Tensor& labels) override;

 private:
  const double margin_;
  const double sos_weight_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_LOSS_TRIPLET_SOS_H_
