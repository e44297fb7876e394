// Upkeep: what a collection does in the background so that searches stay fast and starts short: seals full chunks into
// files, moves them to a card, grows and saves graphs, and replaces segments in which too many rows are dead.
//
// Work is done in steps on a thread pool that all collections share at low priority; a collection has at most one step
// in progress. Most take a few milliseconds, writing a file as long as the disk takes, and training inverted lists
// seconds to minutes. Searches and writes never wait for a step, except that writes wait for the last moment of a
// replacement.
//
// A file is written and made durable first, then named in the manifest by one synced write, then used; files that are
// no longer named are removed. A step that fails (the disk is full) changes nothing and is tried again with the next
// write some seconds later.
//
// Threading: Wake from any thread; Optimize from any thread; Stop once. Ownership: borrows segments, store and pool,
// which outlive it. Failure: steps log; Optimize returns the Status.
//
//   Upkeep upkeep(context, files, std::move(loaded.known));
//   upkeep.Wake();  // after a write
#ifndef SIGHTLINE_INDEX_UPKEEP_H_
#define SIGHTLINE_INDEX_UPKEEP_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "index/ann/index_policy.h"
#include "index/ann/segment_list.h"
#include "index/database.h"
#include "index/replacement.h"
#include "index/store/files.h"
#include "index/store/segment_manifest.h"
#include "index/store/store.h"

namespace sightline::index {

class Upkeep {
 public:
  struct Context {
    std::string collection;  // its name, for the log
    std::string folder;      // of the segment files
    SegmentList& segments;
    Store& store;
    const IndexPolicy& policy;
    SegmentOptions options;
    IndexDevice device = IndexDevice::kAuto;
    std::function<std::shared_ptr<Segment>(bool augmented)> make_segment;
    // The augmented form of a row's descriptor (database-side augmentation).
    std::function<absl::Status(const OptimizeOptions& options, uint64_t key, std::vector<float>* descriptor)> augment;
    int lists = 0;  // of an inverted index, so many; 0 leaves it to their default
    // Where int8 codes of more bytes than this would be needed, inverted lists get product codes.
    int64_t most_code_bytes = std::numeric_limits<int64_t>::max();
    base::ThreadPool* pool = nullptr;  // null: work is done in Optimize only
  };

  // What was there when the collection was opened.
  struct Known {
    uint64_t next_file = 1;
    std::map<const Segment*, LinksFileInfo> links;
    std::optional<LinksFileInfo> centroids;  // of inverted lists, with
    Quantizers quantizers;                   // what is in that file
  };

  Upkeep(const Context& context, const Files& files, Known known);
  ~Upkeep();
  Upkeep(const Upkeep&) = delete;
  Upkeep& operator=(const Upkeep&) = delete;

  // There may be something to do.
  void Wake();

  // From the next step on: rows move to the card, or leave it.
  void SetDevice(IndexDevice device);

  // Does everything there is to do when it is called, on the caller's thread. Several take turns.
  absl::Status Optimize(const OptimizeOptions& options, const Progress& progress);

  // No step begins after it; returns when none is in progress. With `orderly`, what a start would have to do again is
  // saved first.
  void Stop(bool orderly);

  // Whether a segment was made for another kind of index than the policy's now, and is to be replaced.
  bool OfOtherKind(const Segment& segment) const;

  // Of the files that hold graphs.
  int64_t links_bytes() const { return links_bytes_.load(std::memory_order_relaxed); }
  // In memory, of what all inverted lists share.
  int64_t quantizer_bytes() const { return quantizer_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Goals {
    bool all = false;  // also seal chunks that are not full, save every graph and replace segments with few dead rows
    // Of this, no more than what was there when the goals were set: writes go on and must not keep anyone at it.
    uint64_t until = std::numeric_limits<uint64_t>::max();     // the last key
    std::shared_ptr<const SegmentList::Segments> replaceable;  // null: every segment
  };

  void Run();
  // Whether something was done, so that there may be more.
  absl::StatusOr<bool> Step(const Goals& goals) ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  absl::StatusOr<bool> SealOne(const SegmentList::Segments& segments, uint64_t partial_until)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  absl::Status Seal(Segment& segment, uint32_t chunk, bool name_it) ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  absl::StatusOr<bool> TrainLists(const SegmentList::Segments& segments) ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  absl::StatusOr<bool> Grow(Segment& segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  absl::StatusOr<bool> GrowOne(const SegmentList::Segments& segments, uint64_t until)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  absl::StatusOr<bool> SaveOne(const SegmentList::Segments& segments, bool all)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  absl::StatusOr<bool> ReplaceOne(const SegmentList::Segments& segments, const Goals& goals)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  void BeginReplacement(SegmentList::Segments sources, bool augmented, Replacement::Transform transform)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  absl::Status AdvanceReplacement() ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  void DropReplacement() ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  absl::Status Finish(Replacement& replacement) ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  absl::Status WriteManifest(const SegmentList::Segments& segments) ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  void SetQuantizers(Quantizers quantizers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  void CountLinks() ABSL_EXCLUSIVE_LOCKS_REQUIRED(step_mutex_);
  void RemoveFiles(const std::vector<std::string>& names);
  std::string PathOf(const std::string& name) const;
  absl::Status ReportTo(const Progress& progress) const;
  // An error once Stop was called.
  absl::Status GoOn() const;
  absl::Status AwaitTurn(const Progress& progress);
  absl::Status FinishAll(const Progress& progress);
  absl::Status Augment(const OptimizeOptions& options, const Progress& progress);

  const Context context_;
  const Files files_;
  std::atomic<IndexDevice> device_;

  base::Mutex step_mutex_;  // held during a step
  uint64_t next_file_ ABSL_GUARDED_BY(step_mutex_);
  std::map<const Segment*, LinksFileInfo> links_ ABSL_GUARDED_BY(step_mutex_);
  Quantizers quantizers_ ABSL_GUARDED_BY(step_mutex_);
  std::optional<LinksFileInfo> centroids_ ABSL_GUARDED_BY(step_mutex_);
  std::unique_ptr<Replacement> replacement_ ABSL_GUARDED_BY(step_mutex_);
  absl::Time retry_at_ ABSL_GUARDED_BY(step_mutex_) = absl::InfinitePast();

  std::atomic<int64_t> links_bytes_ = 0;
  std::atomic<int64_t> quantizer_bytes_ = 0;
  std::atomic<bool> stopping_ = false;
  base::Mutex mutex_;
  base::CondVar idle_;
  bool scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  bool again_ ABSL_GUARDED_BY(mutex_) = false;  // Wake was called since the step began
  bool optimizing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_UPKEEP_H_
