#include "model/train/data/draw.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::train {

absl::StatusOr<std::vector<int64_t>> DrawByWeight(const std::vector<double>& weights, scene::Random& random) {
  std::vector<int64_t> order(weights.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  Shuffle(order, random);
  double total = 0;
  bool equal = true;
  for (const double weight : weights) {
    total += weight;
    equal = equal && weight == weights.front();
  }
  if (equal && total > 0) return order;
  if (!(total > 0) || !std::isfinite(total)) {
    return base::InvalidArgument("WEIGHTS_INVALID",
                                 absl::StrCat("the weights of the photographs sum to ", total,
                                              "; they must be finite and not all 0. Correct the weights."));
  }
  const double step = total / static_cast<double>(order.size());
  double next = random.Uniform() * step;
  double sum = 0;
  std::vector<int64_t> draws;
  for (const int64_t index : order) {
    sum += weights[static_cast<size_t>(index)];
    for (; next < sum && draws.size() < order.size(); next += step) draws.push_back(index);
  }
  Shuffle(draws, random);
  return draws;
}

}  // namespace sightline::train
