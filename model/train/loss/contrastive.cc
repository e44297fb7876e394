#include "model/train/loss/contrastive.h"

#include "model/train/loss/pairs.h"

namespace sightline::train {

torch::Tensor Contrastive::Forward(const torch::Tensor& outputs, const torch::Tensor& labels) {
  const FullPrecision full_precision;
  const torch::Tensor squared = SquaredDistances(UnitRows(outputs));
  // Every pair is there twice, in sums and in counts.
  const torch::Tensor positive = SameClass(labels);
  const torch::Tensor missing = (margin_ - Distances(squared)).clamp_min(0) * OtherClass(labels);
  return MeanOver((squared * positive).sum() / 2, positive.sum()) +
         MeanOver(missing.square().sum() / 2, (missing > 0).sum());
}

}  // namespace sightline::train
