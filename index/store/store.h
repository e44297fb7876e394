// Store: what is durable of one collection, in one RocksDB (FORMAT.md lists its column families).
//
// After a failure RocksDB is closed and opened again (Resume); readers wait meanwhile. Its own Resume is never called:
// it can hang for ever, and it flushes one column family after the other while a batch whose write failed is still in
// the log, so that half of that batch returns if it ends in between.
//
// Threading: all methods may be called from any thread; Resume from one thread at a time.
// Ownership: owns the RocksDB; views, leases and cursors must not outlive it.
// Failure: Status. A value that fails its checksum is reported as DATA_LOSS and never returned.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto store, Store::Open(folder, resources, limits));
//   SIGHTLINE_ASSIGN_OR_RETURN(auto key, store->View().FindKey("a"));
#ifndef SIGHTLINE_INDEX_STORE_STORE_H_
#define SIGHTLINE_INDEX_STORE_STORE_H_

#include <rocksdb/db.h>
#include <rocksdb/snapshot.h>
#include <rocksdb/write_batch.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "base/shared_mutex.h"
#include "index/collection.h"
#include "index/store/record_codec.h"
#include "index/store/rocks.h"
#include "index/store/rocks_handle.h"
#include "index/store/segment_manifest.h"
#include "index/store/small_codec.h"

namespace sightline::index {

class Store;

// Keeps a store's RocksDB open: whoever reads holds one. A thread that has one must not ask for another of the same
// store, once another thread may call Resume.
class StoreLease {
 public:
  enum class Wait { kWhileItIsOpenedAgain, kNever };
  explicit StoreLease(const Store& store, Wait wait = Wait::kWhileItIsOpenedAgain);
  ~StoreLease();
  StoreLease(const StoreLease&) = delete;
  StoreLease& operator=(const StoreLease&) = delete;

  // OK when there is a database to read; only then the others may be called.
  absl::Status status() const;
  uint64_t number() const { return rocks_->number(); }
  rocksdb::DB& db() const { return rocks_->db(); }
  rocksdb::ColumnFamilyHandle* family(Family family) const { return rocks_->family(family); }
  const std::vector<rocksdb::ColumnFamilyHandle*>& families() const { return rocks_->families(); }

 private:
  const Store& store_;
  bool held_ = false;
  const RocksHandle* rocks_ = nullptr;
};

// A consistent look at a store: what is read through one view was true at one moment.
class StoreView {
 public:
  explicit StoreView(const Store& store);

  // After a read that went well.
  rocksdb::ColumnFamilyHandle* family(Family family) const { return lease_.family(family); }

  // nullopt when there is no such id.
  absl::StatusOr<std::optional<uint64_t>> FindKey(const std::string& id) const;
  absl::StatusOr<StoredRecord> ReadRecord(uint64_t key) const;
  // nullopt when the request id is not known.
  absl::StatusOr<std::optional<StoredRequest>> FindRequest(const std::string& request_id) const;

  // The patch tokens of each id, nullopt where there is no such image or it has none; ids may repeat. DATA_LOSS names
  // the id. (token_reads.cc)
  absl::StatusOr<std::vector<std::optional<PatchTokens>>> ReadTokens(absl::Span<const std::string> ids) const;

  // Those remembered before `before`, oldest first, at most `most`.
  absl::StatusOr<std::vector<std::pair<absl::Time, std::string>>> ExpiredRequests(absl::Time before, int most) const;

  // A record with what `view` names of it.
  absl::StatusOr<Record> Read(uint64_t key, RecordView view) const;

  // Up to `page_size` records after `after`, fewer when they are large. `last_key` becomes that of the last one, or
  // stays nullopt when no record is left behind it.
  absl::StatusOr<std::vector<Record>> ReadPage(uint64_t after, int page_size, RecordView view,
                                               std::optional<uint64_t>* last_key) const;
  // The same of the records of `keys` that are still there. More keys than a page has say that there may be more to
  // come, also where some of their records are gone. With Care::kWhatIsLeft damaged ones are passed over.
  absl::StatusOr<std::vector<Record>> ReadKeys(absl::Span<const uint64_t> keys, int page_size, RecordView view,
                                               std::optional<uint64_t>* last_key) const;

 private:
  // nullopt when there is no such key.
  absl::StatusOr<std::optional<std::string>> Find(Family family, const std::string& key) const;
  absl::StatusOr<std::string> Need(Family family, const std::string& key, absl::string_view what) const;
  absl::StatusOr<std::optional<Record>> ReadIfThere(uint64_t key, RecordView view) const;
  // One per key: nullopt where there is none, or why it cannot be read.
  std::vector<absl::StatusOr<std::optional<rocksdb::PinnableSlice>>> FindAll(Family family,
                                                                             absl::Span<const std::string> keys) const;
  // From what FindAll found under `key`. Where that is nothing, the record says whether it is damage.
  absl::StatusOr<std::optional<PatchTokens>> DecodeTokensOf(
      uint64_t key, const absl::StatusOr<std::optional<rocksdb::PinnableSlice>>& value) const;
  absl::StatusOr<Record> Complete(uint64_t key, StoredRecord stored, RecordView view) const;
  rocksdb::ReadOptions Options() const;

  const Store& store_;
  const StoreLease lease_;
  std::unique_ptr<rocksdb::ManagedSnapshot> snapshot_;  // null when the lease has nothing to read
};

// Reads descriptors in the order of their keys, at the speed of a scan.
//
// Threading: one thread at a time. Ownership: must not outlive the store.
class DescriptorCursor {
 public:
  explicit DescriptorCursor(const Store& store);

  // `key` is greater than the one before. A record without a descriptor is damage.
  absl::StatusOr<std::vector<float>> At(uint64_t key);

 private:
  const Store& store_;
  const StoreLease lease_;
  std::unique_ptr<rocksdb::Iterator> it_;  // null when the lease has nothing to read
};

class Store {
 public:
  // Makes a new store in an empty or missing folder, durably, and closes it.
  static absl::Status Create(const std::string& folder, const CollectionConfig& config,
                             const RocksResources& resources);

  enum class Care {
    kWhole,       // damage is an error
    kLook,        // the same, and no file is changed
    kWhatIsLeft,  // for reading only: records that are damaged are passed over
  };
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& folder, const RocksResources& resources,
                                                     const RecordLimits& limits, Care care = Care::kWhole);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // As it was when the store was opened.
  const CollectionConfig& config() const { return config_; }
  bool only_what_is_left() const { return care_ == Care::kWhatIsLeft; }
  // As they were when the store was opened.
  const Counters& counters() const { return counters_; }

  StoreView View() const { return StoreView(*this); }

  // Calls `row` for every live record in the order of writing, and removes what failed writes have left.
  absl::Status ForEachRecord(const std::function<absl::Status(uint64_t key, StoredRecord record)>& row);

  // NOT_FOUND when there is no such record (any more).
  absl::StatusOr<std::vector<float>> ReadDescriptor(uint64_t key) const;

  // nullopt when nothing was sealed yet.
  absl::StatusOr<std::optional<SegmentManifest>> ReadSegmentManifest() const;
  // Durable on OK.
  absl::Status WriteSegmentManifest(const SegmentManifest& manifest);
  absl::Status WriteConfig(const CollectionConfig& config);

  // nullopt when none was fitted yet.
  absl::StatusOr<std::optional<FittedConfidence>> ReadConfidence() const;
  // Durable on OK.
  absl::Status WriteConfidence(const FittedConfidence& confidence);

  // Remembers what `from` remembers of the requests since `since`, durably.
  absl::Status CopyRequests(const Store& from, absl::Time since);

  // Durable on OK. After a failure nothing of the batch is visible, and every write fails until Resume.
  absl::Status Write(rocksdb::WriteBatch* batch);
  // Why writes fail until Resume; OK when they do not.
  absl::Status write_failure() const;
  // Does `work` while no write is under way, for what syncs the log itself; after a failed write, nothing.
  absl::Status BetweenWrites(absl::FunctionRef<absl::Status(rocksdb::DB& db)> work);

  // After a failed write: opens the files again, with every write that was acknowledged and no other. When they cannot
  // be written yet they are opened for reading only. Refuses at once when there is no space, or when it was tried just
  // now; otherwise readers wait as long as reading the log takes, and it up to two seconds for them. The caller must
  // not hold a lease.
  absl::Status Resume();

  // Moves what only the log holds into table files.
  absl::Status Flush();

  // Both are 0 while files are opened again.
  LayerBytes DiskBytes() const;
  int64_t WriteBufferBytes() const;

 private:
  friend class StoreLease;

  Store(std::string folder, const RocksResources& resources, Care care = Care::kWhole)
      : folder_(std::move(folder)), resources_(resources), care_(care) {}
  absl::Status OpenFirst(RocksHandle::Mode mode);
  using Values = std::vector<std::pair<std::string, std::string>>;  // with their keys
  absl::Status Put(Family family, const Values& values);
  absl::Status ReadManifest(const RecordLimits& limits);
  // ForEachRecord but for its removing.
  absl::Status ReadRecords(const std::function<absl::Status(uint64_t key, StoredRecord record)>& row,
                           rocksdb::WriteBatch* orphans) const;
  // The same with Care::kWhatIsLeft: each record that can be read and that `row` accepts.
  absl::Status ReadWhatIsLeft(const std::function<absl::Status(uint64_t key, StoredRecord record)>& row) const;
  // The live keys and their ids, by key.
  absl::StatusOr<std::vector<std::pair<uint64_t, std::string>>> LiveKeys(const StoreLease& lease) const;
  // An error while it makes no sense to open the files again.
  absl::Status WorthTrying(uint64_t free_bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status OpenAgain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_, rocks_mutex_);

  const std::string folder_;
  const RocksResources resources_;
  const Care care_;
  mutable base::Mutex write_mutex_ ABSL_ACQUIRED_BEFORE(rocks_mutex_);  // held by writes, and while files are opened
  mutable base::SharedMutex rocks_mutex_;                               // alone: while files are opened again
  std::unique_ptr<RocksHandle> rocks_ ABSL_GUARDED_BY(rocks_mutex_);    // null when they could not even be read
  absl::Status write_failure_ ABSL_GUARDED_BY(write_mutex_);            // of the last write, until Resume
  rocksdb::SequenceNumber acknowledged_ ABSL_GUARDED_BY(write_mutex_) = 0;  // the last write that went well
  // Of the last Resume that opened files.
  std::chrono::steady_clock::time_point not_again_before_ ABSL_GUARDED_BY(write_mutex_);
  uint64_t free_bytes_then_ ABSL_GUARDED_BY(write_mutex_) = 0;
  CollectionConfig config_;
  Counters counters_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_STORE_H_
