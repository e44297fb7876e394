#include "index/ann/scan_candidates.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace sightline::index {

void ScanCandidates::Add(float upper, float lower, uint32_t row) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (std::isnan(upper)) upper = kInfinity;
  if (std::isnan(lower)) lower = -kInfinity;
  candidates_.push_back({upper, lower, row});
  if (lowers_.size() < k_) {
    lowers_.push_back(lower);
    std::push_heap(lowers_.begin(), lowers_.end(), std::greater<>());
  } else if (lower > lowers_.front()) {
    std::pop_heap(lowers_.begin(), lowers_.end(), std::greater<>());
    lowers_.back() = lower;
    std::push_heap(lowers_.begin(), lowers_.end(), std::greater<>());
  }
  if (lowers_.size() == k_) shared_.Raise(lowers_.front());
  if (candidates_.size() >= prune_at_) Prune();
}

void ScanCandidates::Prune() {
  const float bar = Bar();
  std::erase_if(candidates_, [bar](const Candidate& candidate) { return candidate.upper < bar; });
  // So that pruning costs a constant amount for each candidate added.
  prune_at_ = std::max<size_t>(4096, 2 * candidates_.size());
}

std::vector<ScanCandidates::Candidate> ScanCandidates::Merge(absl::Span<ScanCandidates> parts, size_t k,
                                                             SharedBar& shared) {
  // Each part has its own best k lower bounds, so the best k of all are among them.
  std::vector<float> lowers;
  for (const ScanCandidates& part : parts) lowers.insert(lowers.end(), part.lowers_.begin(), part.lowers_.end());
  if (lowers.size() >= k) {
    const auto kth = lowers.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(lowers.begin(), kth, lowers.end(), std::greater<>());
    shared.Raise(*kth);
  }
  std::vector<Candidate> merged;
  for (ScanCandidates& part : parts) {
    part.Prune();
    merged.insert(merged.end(), part.candidates_.begin(), part.candidates_.end());
  }
  std::sort(merged.begin(), merged.end(), [](const Candidate& a, const Candidate& b) {
    return a.upper != b.upper ? a.upper > b.upper : a.row < b.row;
  });
  return merged;
}

}  // namespace sightline::index
