#include "base/retrieval_metrics.h"

#include <algorithm>
#include <cstddef>

namespace sightline::base {
namespace {

// How many of `ranks` lie in the first k positions.
int64_t CountBelow(absl::Span<const int64_t> ranks, int64_t k) {
  return std::lower_bound(ranks.begin(), ranks.end(), k) - ranks.begin();
}

}  // namespace

double TrapezoidalPrecision(absl::Span<const int64_t> ranks, int64_t positives) {
  double sum = 0;
  for (size_t j = 0; j < ranks.size(); ++j) {
    const auto rank = static_cast<double>(ranks[j]);
    const auto found = static_cast<double>(j);
    const double before = ranks[j] == 0 ? 1.0 : found / rank;
    sum += before + (found + 1) / (rank + 1);
  }
  return sum / (2 * static_cast<double>(positives));
}

double AveragePrecision(absl::Span<const int64_t> ranks, int64_t positives) {
  double sum = 0;
  for (size_t j = 0; j < ranks.size(); ++j) {
    sum += (static_cast<double>(j) + 1) / (static_cast<double>(ranks[j]) + 1);
  }
  return sum / static_cast<double>(positives);
}

double AveragePrecisionAt(absl::Span<const int64_t> ranks, int64_t positives, int64_t k) {
  return AveragePrecision(ranks.first(static_cast<size_t>(CountBelow(ranks, k))), std::min(positives, k));
}

double RevisitedPrecisionAt(absl::Span<const int64_t> ranks, int64_t k) {
  if (ranks.empty()) return 0;
  const int64_t positions = std::min(k, ranks.back() + 1);
  return PrecisionAt(ranks, positions);
}

double PrecisionAt(absl::Span<const int64_t> ranks, int64_t k) {
  return static_cast<double>(CountBelow(ranks, k)) / static_cast<double>(k);
}

double RecallAt(absl::Span<const int64_t> ranks, int64_t k) { return CountBelow(ranks, k) > 0 ? 1 : 0; }

}  // namespace sightline::base
