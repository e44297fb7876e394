#include "model/train/loss/triplet_sos.h"

#include <algorithm>
#include <limits>

#include "model/train/loss/pairs.h"

namespace sightline::train {

torch::Tensor TripletSos::Forward(const torch::Tensor& outputs, const torch::Tensor& labels) {
  const FullPrecision full_precision;
  if (outputs.size(0) == 0) return ZeroLoss(outputs);  // no rows to take a maximum of
  constexpr double kNever = std::numeric_limits<double>::infinity();
  const torch::Tensor squared = SquaredDistances(UnitRows(outputs));
  const torch::Tensor same = SameClass(labels);
  const torch::Tensor other = OtherClass(labels);
  const torch::Tensor anchors = same.any(1) & other.any(1);

  // Which pairs are hardest is chosen without a gradient, and their distances are read from `squared`.
  const torch::Tensor fixed = squared.detach();
  const torch::Tensor positive = fixed.masked_fill(~same, -kNever).argmax(1, /*keepdim=*/true);
  const torch::Tensor negatives =
      std::get<1>(fixed.masked_fill(~other, kNever).topk(std::min(kNegatives, outputs.size(0)), 1, /*largest=*/false));
  // A small batch has fewer negatives than are asked for.
  const torch::Tensor counted = other.gather(1, negatives) & anchors.unsqueeze(1);

  const torch::Tensor to_negatives = squared.gather(1, negatives);
  const torch::Tensor hinge = (squared.gather(1, positive) - to_negatives + margin_).clamp_min(0) * counted;
  const torch::Tensor from_positive = squared.index_select(0, positive.squeeze(1)).gather(1, negatives);
  // LibTorch's norm has a gradient of 0 at 0.
  const torch::Tensor second_order = ((to_negatives - from_positive) * counted).norm(2, 1);
  return MeanOver(hinge.sum() + sos_weight_ * second_order.sum(), anchors.sum());
}

}  // namespace sightline::train
