// SegmentList: the segments of a collection, the last of which takes new rows; what searches look at and writes change.
//
// The clock counts rows ever appended. A row replaced or deleted by a batch dies at the clock after that batch, and a
// search reads the clock once, so that it sees all of a batch or nothing of it: never a row and its replacement, never
// neither. Only a batch that appends nothing leaves the clock where it is: a search that runs meanwhile may see some of
// its deletions and not others.
//
// Threading: Now from any thread, without waiting for writes; the others from any thread, one after the other.
// Ownership: shares the segments with the searches that look at them. Failure: none.
//
//   const SegmentList::Moment now = list.Now();
//   for (size_t i = 0; i < now.segments->size(); ++i) Search(*(*now.segments)[i], now.rows[i], now.clock);
#ifndef SIGHTLINE_INDEX_ANN_SEGMENT_LIST_H_
#define SIGHTLINE_INDEX_ANN_SEGMENT_LIST_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "index/ann/segment.h"
#include "index/record.h"

namespace sightline::index {

// What a batch of writes means for searches. Keys ascend; those killed may be among those added.
struct BatchEffect {
  struct Addition {
    uint64_t key = 0;
    std::string id;
    std::vector<float> descriptor;
    Attributes attributes;
  };
  std::vector<Addition> added;
  std::vector<uint64_t> killed;
  std::vector<std::pair<uint64_t, Attributes>> attributes;  // of rows that stay
};

class SegmentList {
 public:
  using Segments = std::vector<std::shared_ptr<Segment>>;

  struct Moment {
    std::shared_ptr<const Segments> segments;
    std::vector<uint32_t> rows;  // of each segment, as many as are seen
    uint64_t clock = 0;
  };

  // `make` makes an empty segment. `segments` are those of the past, by key.
  SegmentList(std::function<std::shared_ptr<Segment>()> make, uint32_t segment_rows, Segments segments);

  Moment Now() const;
  // Keep the pointer while looking at what it points to: writes replace the list.
  std::shared_ptr<const Segments> segments() const;

  // Visible together when it returns.
  void Apply(BatchEffect effect);

  // ---- Replacing segments by ones without their dead rows

  // From now on, deaths and changed attributes are remembered for the replacement.
  void BeginReplacement();
  void AbandonReplacement();
  // Stops writes, lets `finish` copy what is missing to `replacement` and make it durable, and puts it in the place of
  // `replaced`, which stand side by side. When `finish` fails, nothing changes.
  absl::Status Replace(const Segments& replaced, const std::shared_ptr<Segment>& replacement,
                       const std::function<absl::Status()>& finish);

 private:
  std::shared_ptr<Segment> TailFor(size_t rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  static Segment* Holding(const Segments& segments, uint64_t key);

  const std::function<std::shared_ptr<Segment>()> make_;
  const uint32_t segment_rows_;

  base::Mutex writer_mutex_;
  bool replacing_ ABSL_GUARDED_BY(writer_mutex_) = false;
  std::vector<uint64_t> killed_meanwhile_ ABSL_GUARDED_BY(writer_mutex_);
  std::vector<std::pair<uint64_t, Attributes>> changed_meanwhile_ ABSL_GUARDED_BY(writer_mutex_);

  mutable base::Mutex mutex_;  // held for copying a pointer and numbers; taken after writer_mutex_
  std::shared_ptr<const Segments> segments_ ABSL_GUARDED_BY(mutex_);
  uint64_t tail_base_ ABSL_GUARDED_BY(mutex_) = 0;  // clock = tail_base_ + rows of the last segment
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_SEGMENT_LIST_H_
