// TopK: keeps the best k of a stream of scored rows. Equal scores are ordered by row, the lower one first.
//
// Threading: one thread at a time. Failure: none; a NaN score is never kept.
//
//   TopK top(10);
//   for (...) if (top.Wants(score)) top.Add(score, row);
//   std::vector<ScoredRow> best = std::move(top).Take();
#ifndef SIGHTLINE_INDEX_ANN_TOP_K_H_
#define SIGHTLINE_INDEX_ANN_TOP_K_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace sightline::index {

struct ScoredRow {
  float score = 0;
  uint64_t row = 0;
};

// Whether `a` ranks before `b`.
inline bool Better(const ScoredRow& a, const ScoredRow& b) {
  return a.score != b.score ? a.score > b.score : a.row < b.row;
}

class TopK {
 public:
  // Rows below `min_score` are not kept. `k` may be 0.
  explicit TopK(size_t k, float min_score = -std::numeric_limits<float>::infinity()) : k_(k), bar_(min_score) {}

  // A cheap first test: false means that Add would not keep the row. Rows must come in ascending order for a score that
  // equals the worst one kept to lose, as it must.
  bool Wants(float score) const { return full() ? score > bar_ : score >= bar_; }

  // Scores below it are not kept; it rises.
  float bar() const { return bar_; }
  bool full() const { return heap_.size() == k_; }

  // In any order.
  void Add(float score, uint64_t row) {
    if (k_ == 0 || !(score >= bar_)) return;
    if (full()) {
      if (!Better({score, row}, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), Better);
      heap_.back() = {score, row};
    } else {
      heap_.push_back({score, row});
    }
    std::push_heap(heap_.begin(), heap_.end(), Better);
    if (full()) bar_ = heap_.front().score;
  }

  // Best first.
  std::vector<ScoredRow> Take() && {
    std::sort_heap(heap_.begin(), heap_.end(), Better);
    return std::move(heap_);
  }

 private:
  const size_t k_;
  float bar_;
  std::vector<ScoredRow> heap_;  // the worst kept row first
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_TOP_K_H_
