#include "model/train/loss/multi_similarity.h"

#include <limits>

#include "model/train/loss/pairs.h"

namespace sightline::train {
namespace {

constexpr double kNowhere = std::numeric_limits<double>::infinity();

// log(1 + sum over the chosen of exp(z)) of every row, without overflow: z reaches 75 with the usual numbers.
torch::Tensor LogOnePlusSumExp(const torch::Tensor& z, const torch::Tensor& chosen) {
  const torch::Tensor one = torch::zeros({z.size(0), 1}, z.options());
  return torch::cat({one, z.masked_fill(~chosen, -kNowhere)}, 1).logsumexp(1);
}

}  // namespace

torch::Tensor MultiSimilarity::Forward(const torch::Tensor& outputs, const torch::Tensor& labels) {
  const FullPrecision full_precision;
  if (outputs.size(0) == 0) return ZeroLoss(outputs);  // whose mean would be 0 / 0
  const torch::Tensor rows = UnitRows(outputs);
  const torch::Tensor cosines = rows.matmul(rows.t());
  const torch::Tensor same = SameClass(labels);
  const torch::Tensor other = OtherClass(labels);

  const torch::Tensor fixed = cosines.detach();
  // Without positives the least one is infinite, and no negative is chosen; likewise the other way round.
  const torch::Tensor least = fixed.masked_fill(~same, kNowhere).amin(1, /*keepdim=*/true);
  const torch::Tensor most = fixed.masked_fill(~other, -kNowhere).amax(1, /*keepdim=*/true);
  const torch::Tensor positives = same & (fixed < most + config_.epsilon);
  const torch::Tensor negatives = other & (fixed > least - config_.epsilon);

  const torch::Tensor above = cosines - config_.base;
  const torch::Tensor pull = LogOnePlusSumExp(-config_.alpha * above, positives) / config_.alpha;
  const torch::Tensor push = LogOnePlusSumExp(config_.ms_beta * above, negatives) / config_.ms_beta;
  return (pull + push).mean();
}

}  // namespace sightline::train
