#include "index/rerank/marginals.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace sightline::index::rerank {
namespace {

constexpr double kReferenceGuard = 1e-5;

// Each mode's w; 0 where `takes_part` is false.
template <typename TakesPart>
std::vector<double> Unnormalised(absl::Span<const double> cosines, absl::Span<const float> importance,
                                 const TransportOptions& options, const TakesPart& takes_part) {
  // exp(a / temperature) of a low temperature would overflow; softmax does not change when a constant is taken off.
  double greatest = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < cosines.size(); ++i) {
    if (takes_part(i)) greatest = std::max(greatest, cosines[i]);
  }
  std::vector<double> weights(cosines.size());
  for (size_t i = 0; i < cosines.size(); ++i) {
    if (!takes_part(i)) continue;
    const double correlation = std::max(cosines[i], 0.0);
    switch (options.marginals) {
      case Marginals::kUniform: weights[i] = 1; break;
      case Marginals::kCrossCorrelation: weights[i] = correlation; break;
      case Marginals::kInverse: weights[i] = std::exp(-correlation / options.temperature); break;
      case Marginals::kMinus: weights[i] = std::max(1 - correlation, 0.0); break;
      case Marginals::kSoftmax: weights[i] = std::exp((cosines[i] - greatest) / options.temperature); break;
      case Marginals::kImportance: weights[i] = importance[i]; break;
    }
  }
  return weights;
}

}  // namespace

bool NeedsCentre(Marginals marginals) {
  return marginals != Marginals::kUniform && marginals != Marginals::kImportance;
}

std::vector<double> PatchWeights(absl::Span<const double> cosines, absl::Span<const float> importance,
                                 absl::Span<const uint8_t> mask, const TransportOptions& options) {
  const auto takes_part = [mask](size_t i) { return mask.empty() || mask[i] != 0; };
  std::vector<double> weights = Unnormalised(cosines, importance, options, takes_part);
  double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  double guard = NeedsCentre(options.marginals) ? kReferenceGuard : 0;
  if (sum == 0) {
    guard = 0;
    for (size_t i = 0; i < weights.size(); ++i) sum += weights[i] = takes_part(i) ? 1 : 0;
    if (sum == 0) return weights;
  }
  if (options.marginals == Marginals::kSoftmax && guard > 0) {
    // The reference divides a softmax, which sums to 1 already.
    guard *= sum;
  }
  for (double& weight : weights) weight /= sum + guard;
  return weights;
}

std::vector<int> StrongestPatches(absl::Span<const double> weights, int most) {
  std::vector<int> patches;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] > 0) patches.push_back(static_cast<int>(i));
  }
  const size_t kept = static_cast<size_t>(most);
  if (kept == 0 || kept >= patches.size()) return patches;
  const auto stronger = [weights](int a, int b) {
    const double weight_a = weights[static_cast<size_t>(a)], weight_b = weights[static_cast<size_t>(b)];
    return weight_a != weight_b ? weight_a > weight_b : a < b;
  };
  std::nth_element(patches.begin(), patches.begin() + most, patches.end(), stronger);
  patches.resize(kept);
  std::sort(patches.begin(), patches.end());
  return patches;
}

}  // namespace sightline::index::rerank
