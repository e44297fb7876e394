// IndexPolicy: which way of searching a segment costs least, by what was measured.
//
// Exact search costs its rows times the bytes of a code over the memory bandwidth, measured once per process; searches
// of the graph are measured as they come. AUTO builds a graph once an exact search costs more than kLinksWorth, and
// uses whatever is cheaper. Where that is exact search for long, the graph is tried again now and then.
//
// Threading: all methods may be called from any thread. Failure: none.
//
//   IndexPolicy policy(IndexKind::kAuto, layout.stride);
//   if (policy.WantsLinks(segment.live())) GrowIt();
#ifndef SIGHTLINE_INDEX_ANN_INDEX_POLICY_H_
#define SIGHTLINE_INDEX_ANN_INDEX_POLICY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "index/collection.h"

namespace sightline::index {

class IndexPolicy {
 public:
  // `row_bytes` is what an exact search reads of a row.
  IndexPolicy(IndexKind kind, size_t row_bytes);

  IndexKind kind() const { return kind_.load(std::memory_order_relaxed); }
  // From the next question on.
  void SetKind(IndexKind kind) { kind_.store(kind, std::memory_order_relaxed); }

  // Whether a segment of so many rows should have a graph.
  bool WantsLinks(int64_t rows) const;
  // Whether a search of a segment that has one should use it.
  bool UseLinks(int64_t rows) const;

  // Of searches with the default effort.
  void ObserveLinks(absl::Duration took);
  void ObserveExact(int64_t rows, absl::Duration took);

  // How the next search of so many images will be done, and why; `linked` of them are in a graph.
  std::string Explain(int64_t images, int64_t linked) const;

 private:
  absl::Duration ExactCost(int64_t rows) const;
  absl::Duration LinksCost() const;

  std::atomic<IndexKind> kind_;
  const double assumed_row_ns_;
  // Moving averages.
  std::atomic<double> links_ns_;
  std::atomic<double> row_ns_ = 0;  // 0 until something was measured
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_INDEX_POLICY_H_
