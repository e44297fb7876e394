// WritePlan: turns queued operations into one write batch and the changes it means in memory.
//
// Operations are planned one after the other, and each sees what the ones before it in the same batch will have done:
// two writes to one id or with one request id have the same outcome as if they had come in batches of their own.
//
// Threading: one thread (the committer). Ownership: borrows the store and the limits.
// Failure: an operation that fails in planning has left nothing in the plan.
//
//   WritePlan plan(store, limits, {.now = now, .retention = absl::Hours(24)}, counters);
//   auto result = plan.Put(std::move(operation));
//   SIGHTLINE_RETURN_IF_ERROR(plan.Finish());
//   SIGHTLINE_RETURN_IF_ERROR(store.Write(&plan.batch()));
#ifndef SIGHTLINE_INDEX_STORE_WRITE_PLAN_H_
#define SIGHTLINE_INDEX_STORE_WRITE_PLAN_H_

#include <rocksdb/write_batch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "index/ann/segment_list.h"
#include "index/store/operation.h"
#include "index/store/store.h"

namespace sightline::index {

class WritePlan {
 public:
  struct Times {
    absl::Time now;
    absl::Duration retention;  // of request ids
  };

  WritePlan(const Store& store, const RecordLimits& limits, Times times, Counters counters);

  absl::StatusOr<WriteResult> Put(PutOperation operation);
  absl::StatusOr<DeleteResult> Delete(const DeleteOperation& operation);
  absl::StatusOr<Record> Update(const UpdateOperation& operation);

  // Completes the batch: counters, and some request ids whose time has passed. The store is not read after it, and may
  // be opened again.
  absl::Status Finish();

  bool empty() const { return counters_.sequence == first_sequence_; }
  rocksdb::WriteBatch& batch() { return batch_; }
  const Counters& counters() const { return counters_; }
  // What it means for searches; once, after it was written.
  BatchEffect TakeEffect() { return std::move(effect_); }

 private:
  struct Live {
    uint64_t key = 0;
    StoredRecord stored;
  };

  // What `id` leads to after the operations planned so far; nullopt when to nothing.
  absl::StatusOr<std::optional<Live>> Find(const std::string& id) const;
  absl::StatusOr<std::optional<StoredRequest>> FindRequest(const std::string& request_id) const;
  void PutValue(Family family, const std::string& key, std::string value);
  void Remember(const std::string& request_id, const WriteResult& result);
  // Takes the record under `key` out of every column family but ids.
  void Kill(uint64_t key);

  const Store& store_;
  std::optional<StoreView> view_;  // until Finish
  const RecordLimits& limits_;
  const Times times_;
  Counters counters_;
  const int64_t first_sequence_;
  rocksdb::WriteBatch batch_;
  std::unordered_map<std::string, std::optional<Live>> changed_;
  std::unordered_map<std::string, StoredRequest> remembered_;
  BatchEffect effect_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_WRITE_PLAN_H_
