// ScanCandidates: the rows of a certified scan that may be among the best k, by what their scores are at least and at
// most. Whatever is below the bar, the k-th best of the lower bounds, has no chance and is not kept.
//
// Threading: one thread at a time; SharedBar, through which several threads that scan parts of the same rows tell each
// other how high the bar is, may be used by all. Failure: none.
//
//   ScanCandidates candidates(k, shared_bar);
//   const float bar = candidates.Bar();
//   if (!(upper < bar)) candidates.Add(upper, lower, row);
//   std::vector<ScanCandidates::Candidate> rest = ScanCandidates::Merge(parts, k, shared_bar);
#ifndef SIGHTLINE_INDEX_ANN_SCAN_CANDIDATES_H_
#define SIGHTLINE_INDEX_ANN_SCAN_CANDIDATES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace sightline::index {

// Only rises. Nothing is published through it but its own value.
class SharedBar {
 public:
  explicit SharedBar(float bar) : bar_(bar) {}

  float Get() const { return bar_.load(std::memory_order_relaxed); }
  void Raise(float bar) {
    float now = Get();
    while (now < bar && !bar_.compare_exchange_weak(now, bar, std::memory_order_relaxed)) {
    }
  }

 private:
  std::atomic<float> bar_;
};

class ScanCandidates {
 public:
  struct Candidate {
    float upper = 0;
    float lower = 0;
    uint32_t row = 0;
  };

  // `k` is at least 1. `shared` starts at the least score asked for and must outlive this.
  ScanCandidates(size_t k, SharedBar& shared) : k_(k), shared_(shared) {}

  float Bar() const { return shared_.Get(); }
  // A bound that is NaN is no bound.
  void Add(float upper, float lower, uint32_t row);

  // The candidates of all parts that are left when the bar is as high as it gets, the most promising first.
  static std::vector<Candidate> Merge(absl::Span<ScanCandidates> parts, size_t k, SharedBar& shared);

 private:
  void Prune();

  const size_t k_;
  SharedBar& shared_;
  std::vector<float> lowers_;  // the best k lower bounds, as a heap, the least first
  std::vector<Candidate> candidates_;
  size_t prune_at_ = 4096;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_SCAN_CANDIDATES_H_
