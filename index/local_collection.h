// LocalCollection: a Collection of this machine: a Store (the truth, on disk) and an Engine (what is searched).
//
// A write is checked, normalised and encoded on the caller's thread and queued; the committer thread turns everything
// queued into one synced write batch, applies it to the engine, and only then answers. A search takes the segments as
// they are and never meets the committer; the mutex below is held for copying two pointers.
//
// Threading: see Collection; Close from any thread but the collection's own. After Close every method answers
// NOT_FOUND. Ownership: owns store, engine and committer thread; store and engine live until the last call in flight
// returns. Failure: a write that fails on disk fails alone, and the collection refuses writes until the disk recovers;
// every later write tries.
#ifndef SIGHTLINE_INDEX_LOCAL_COLLECTION_H_
#define SIGHTLINE_INDEX_LOCAL_COLLECTION_H_

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/mutex.h"
#include "index/collection.h"
#include "index/database.h"
#include "index/engine.h"
#include "index/memory_budget.h"
#include "index/store/commit_queue.h"
#include "index/store/operation.h"
#include "index/store/store.h"
#include "index/store/write_plan.h"

namespace sightline::index {

class LocalCollection : public Collection {
 public:
  // What collections of a database share; outlives them.
  struct Shared {
    EnginePools pools;
    MemoryBudget* budget = nullptr;
  };

  // `segment_folder` is made where there is none.
  static absl::StatusOr<std::shared_ptr<LocalCollection>> Open(std::unique_ptr<Store> store,
                                                               const std::string& segment_folder,
                                                               const DatabaseOptions& options, const Shared& shared);
  ~LocalCollection() override;

  CollectionConfig config() const override;
  absl::Status ChangeSettings(const SettingsChange& change) override;
  // Takes over what ChangeSettings can change, from the collection whose place this one is to take.
  absl::Status TakeSettings(const CollectionConfig& from);
  CollectionStats Stats() const override;
  // The part of Stats that costs little.
  LayerBytes memory() const;
  absl::StatusOr<WriteResult> Put(Write write) override;
  void PutAsync(Write write, std::function<void(absl::StatusOr<WriteResult>)> done) override;
  absl::StatusOr<Record> Get(const std::string& id, RecordView view) const override;
  absl::StatusOr<std::vector<std::optional<PatchTokens>>> ReadTokens(absl::Span<const std::string> ids) const override;
  using Collection::List;
  absl::StatusOr<RecordPage> List(int page_size, const std::string& page_token, RecordView view,
                                  const std::string& filter, const Cancelled& cancelled) const override;
  absl::StatusOr<DeleteResult> Delete(absl::Span<const std::string> ids) override;
  absl::StatusOr<DeleteResult> DeleteMatching(const std::string& filter, const Cancelled& cancelled) override;
  absl::StatusOr<AttributeCountPage> CountValues(const std::string& key, const std::string& filter, int page_size,
                                                 const std::string& page_token) const override;
  absl::StatusOr<Record> UpdateAttributes(const std::string& id, const AttributeChange& change) override;
  absl::StatusOr<SearchOutcome> Search(const SearchQuery& query) const override;
  absl::Status Optimize(const OptimizeOptions& options, const Progress& progress) override;
  std::optional<FittedConfidence> Confidence() const override;
  absl::Status SetConfidence(const FittedConfidence& confidence) override;
  int64_t SearchCost() const override;

  // Moves what only memory and the log hold into files, so that the next start has nothing to do again. No more upkeep
  // is done afterwards.
  void Flush();

  // Makes `folder`, with every write acknowledged before the call (store/checkpoint.h).
  absl::Status MakeCheckpoint(const std::string& folder) const;

  // Holds writes, calls `move`, and if that went well refuses every write from then on: they belong elsewhere.
  absl::Status MoveWrites(absl::FunctionRef<absl::Status()> move);

  // From now on, remembers the ids that are written.
  void TrackChanges();
  void StopTracking();
  // Those written since the last call.
  std::vector<std::string> TakeChanges();

  // Remembers what `from` remembers of requests since `since`.
  absl::Status CopyRequests(const LocalCollection& from, absl::Time since);

  // Finishes the writes queued, then lets go of the store. Returns how many images there were.
  int64_t Close();

 private:
  // What calls work on; empty after Close.
  struct State {
    std::shared_ptr<Store> store;
    std::shared_ptr<Engine> engine;  // uses the store
  };

  LocalCollection(State state, std::optional<FittedConfidence> confidence, const DatabaseOptions& options,
                  const Shared& shared);

  State state() const;
  void SetConfig(CollectionConfig config);
  absl::Status Reconfigure(const CollectionConfig& changed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  absl::StatusOr<PutOperation> Prepare(Write write) const;
  // nullopt when accepted.
  std::optional<absl::Status> Enqueue(Operation& operation, size_t bytes);
  // Queues and waits.
  template <typename Result>
  absl::StatusOr<Result> Await(const std::function<void(Done<Result>)>& start) const;

  // On the committer's thread.
  void Commit(std::vector<Operation> batch);
  absl::Status Recover(Store& store);
  absl::Status WriteAndApply(WritePlan& plan, const State& state);
  void SetReadOnly(const absl::Status& reason);
  void NoteChanges(std::vector<std::string> ids);

  const DatabaseOptions options_;
  const Shared shared_;
  mutable base::Mutex mutex_;
  // Of its own, as errors that are made under mutex_ name the collection; held for copying a pointer.
  mutable base::Mutex config_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  std::shared_ptr<const CollectionConfig> config_ ABSL_GUARDED_BY(config_mutex_);
  State state_ ABSL_GUARDED_BY(mutex_);
  int64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<FittedConfidence> confidence_ ABSL_GUARDED_BY(mutex_);
  absl::Status read_only_ ABSL_GUARDED_BY(mutex_);                        // why; OK when writes are taken
  std::optional<std::set<std::string>> changes_ ABSL_GUARDED_BY(mutex_);  // empty while nobody asks for them
  base::Mutex commit_mutex_;  // held while a batch is committed; taken before mutex_
  bool moved_ ABSL_GUARDED_BY(commit_mutex_) = false;
  Counters counters_;             // the committer's
  CommitQueue<Operation> queue_;  // last: its thread uses all of the above
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_LOCAL_COLLECTION_H_
