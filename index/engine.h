// Engine: what of a collection is searched: its segments, how they are chosen among, and their upkeep. The store
// beneath is the truth; everything here can be made again from it.
//
// Threading: all methods may be called from any thread; Apply by one after the other. Ownership: owns segments and
// upkeep; borrows the store, the pools and the options' environment, which outlive it. Failure: Status.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto engine, Engine::Open(store, folder, options, pools));
//   engine->Apply(std::move(effect));
//   absl::StatusOr<SearchOutcome> outcome = engine->Search(query);
#ifndef SIGHTLINE_INDEX_ENGINE_H_
#define SIGHTLINE_INDEX_ENGINE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "index/ann/index_policy.h"
#include "index/ann/segment_list.h"
#include "index/collection.h"
#include "index/database.h"
#include "index/store/store.h"
#include "index/upkeep.h"

namespace sightline::index {

// Shared by the collections of a database.
struct EnginePools {
  base::ThreadPool* search = nullptr;  // helps with large comparisons; null: none
  base::ThreadPool* build = nullptr;   // upkeep; null: in Optimize only
};

class Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Open(Store& store, const std::string& folder,
                                                      const DatabaseOptions& options, const EnginePools& pools);
  // Without an orderly Stop, what was not saved is made again at the next start.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Visible when it returns.
  void Apply(BatchEffect effect);

  absl::StatusOr<SearchOutcome> Search(const SearchQuery& query) const;

  // The record keys above `after` that satisfy `filter`, ascending, at most `most`.
  absl::StatusOr<std::vector<uint64_t>> MatchingKeys(const std::string& filter, uint64_t after, size_t most,
                                                     const Cancelled& cancelled) const;
  // The ids of all that satisfy it.
  absl::StatusOr<std::vector<std::string>> MatchingIds(const std::string& filter, const Cancelled& cancelled) const;

  absl::StatusOr<std::vector<AttributeCount>> CountValues(const std::string& key, const std::string& filter) const;

  // From now on; what is built otherwise is replaced in the background.
  void SetIndexKind(IndexKind kind);
  // Rows move, or leave, in the background; until then they are compared where they are.
  void SetDevice(IndexDevice device);

  absl::Status Optimize(const OptimizeOptions& options, const Progress& progress);
  void Stop(bool orderly) { upkeep_->Stop(orderly); }

  // Completes what concerns searching.
  void FillStats(CollectionStats* stats) const;
  // Adds the segment files.
  void AddDiskBytes(LayerBytes* bytes) const;
  int64_t live() const;
  // Multiply-adds that a search takes.
  int64_t SearchCost() const;

 private:
  Engine(Store& store, const DatabaseOptions& options, const EnginePools& pools);

  std::shared_ptr<Segment> MakeSegment(bool augmented) const;
  absl::Status Augment(const OptimizeOptions& options, uint64_t key, std::vector<float>* descriptor) const;
  template <typename Visit>
  absl::Status ForEachMatching(const std::string& filter, Visit visit) const;
  template <typename Visit>
  absl::Status ForEachMatchingRow(const std::string& filter, const Cancelled& cancelled, Visit visit) const;

  Store& store_;
  const SegmentOptions options_;
  const uint32_t batch_rows_;  // a batch of writes has no more
  const EnginePools pools_;
  const bool low_memory_;
  const std::shared_ptr<gpu::RowDevice> card_;
  const std::shared_ptr<gpu::ListDevice> card_lists_;
  mutable IndexPolicy policy_;
  mutable std::atomic<int64_t> card_scans_ = 0;
  std::unique_ptr<SegmentList> segments_;
  std::unique_ptr<Upkeep> upkeep_;  // after the segments: it ends first
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ENGINE_H_
