#include "model/train/loss/pairs.h"

namespace sightline::train {

torch::Tensor AtLeastFloat(const torch::Tensor& values) {
  return values.scalar_type() == torch::kDouble ? values : values.to(torch::kFloat);
}

torch::Tensor UnitRows(const torch::Tensor& rows) {
  constexpr double kLeastNorm = 1e-6;
  const torch::Tensor wide = AtLeastFloat(rows);
  return wide / wide.norm(2, -1, /*keepdim=*/true).clamp_min(kLeastNorm);
}

torch::Tensor SquaredDistances(const torch::Tensor& rows) {
  const torch::Tensor squares = rows.square().sum(1);
  return (squares.unsqueeze(1) + squares.unsqueeze(0) - 2 * rows.matmul(rows.t())).clamp_min(0);
}

torch::Tensor Distances(const torch::Tensor& squared) { return (squared + kDistanceEpsilon).sqrt(); }

torch::Tensor SameClass(const torch::Tensor& labels) {
  return labels.unsqueeze(1).eq(labels.unsqueeze(0)).fill_diagonal_(false);
}

torch::Tensor OtherClass(const torch::Tensor& labels) { return labels.unsqueeze(1).ne(labels.unsqueeze(0)); }

torch::Tensor ZeroLoss(const torch::Tensor& outputs) { return AtLeastFloat(outputs).mul(0).sum(); }

torch::Tensor MeanOver(const torch::Tensor& sum, const torch::Tensor& count) { return sum / count.clamp_min(1); }

}  // namespace sightline::train
