#include "model/train/loss/margin.h"

#include <limits>

#include "model/train/loss/pairs.h"

namespace sightline::train {

torch::Tensor DistanceWeights(const torch::Tensor& distances, const torch::Tensor& allowed, int64_t n) {
  constexpr double kLeastDistance = 0.5;
  constexpr double kLeastRest = 1e-8;
  const auto dim = static_cast<double>(n);
  const torch::Tensor d = distances.to(torch::kDouble).clamp_min(kLeastDistance);
  const torch::Tensor rest = (1 - d.square() / 4).clamp_min(kLeastRest);
  const torch::Tensor log_weights = ((2 - dim) * d.log() - (dim - 3) / 2 * rest.log())
                                        .masked_fill(~allowed, -std::numeric_limits<double>::infinity());
  const torch::Tensor most = log_weights.amax(1, /*keepdim=*/true);
  // A row of which nothing is allowed has no largest: all of it is 0.
  return (log_weights - most).exp().masked_fill(~allowed, 0);
}

MarginLoss::MarginLoss(const LossConfig& config, int64_t classes)
    : margin_(config.margin), beta_(register_parameter("beta", torch::full({classes}, config.beta))) {}

Triplets MarginLoss::Sample(const torch::Tensor& outputs, const torch::Tensor& labels) {
  const torch::NoGradGuard no_grad;
  const FullPrecision full_precision;
  const torch::Tensor same = SameClass(labels);
  const torch::Tensor other = OtherClass(labels);
  const torch::Tensor anchors = (same.any(1) & other.any(1)).nonzero().squeeze(1);
  if (anchors.size(0) == 0) return {anchors, anchors, anchors};  // multinomial takes no empty matrix
  const torch::Tensor distances = Distances(SquaredDistances(UnitRows(outputs)));
  const torch::Tensor weights = DistanceWeights(distances, other, outputs.size(1)).index_select(0, anchors);
  return {.anchors = anchors,
          .positives = same.index_select(0, anchors).to(torch::kDouble).multinomial(1).squeeze(1),
          .negatives = weights.multinomial(1).squeeze(1)};
}

torch::Tensor MarginLoss::Of(const torch::Tensor& outputs, const torch::Tensor& labels,
                             const Triplets& triplets) const {
  const FullPrecision full_precision;
  const torch::Tensor rows = UnitRows(outputs);
  const torch::Tensor anchors = rows.index_select(0, triplets.anchors);
  const auto distance = [&](const torch::Tensor& partners) {
    return Distances((anchors - rows.index_select(0, partners)).square().sum(1));
  };
  const torch::Tensor beta = beta_.index_select(0, labels.index_select(0, triplets.anchors));
  const torch::Tensor far = (distance(triplets.positives) - beta + margin_).clamp_min(0);
  const torch::Tensor near = (beta - distance(triplets.negatives) + margin_).clamp_min(0);
  return MeanOver(far.sum() + near.sum(), (far > 0).sum() + (near > 0).sum());
}

torch::Tensor MarginLoss::Forward(const torch::Tensor& outputs, const torch::Tensor& labels) {
  return Of(outputs, labels, Sample(outputs, labels));
}

}  // namespace sightline::train
