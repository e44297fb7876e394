// Database: the collections of one data directory.
//
// Threading: all methods may be called from any thread.
// Ownership: the Database owns the collections; callers share them. It holds a lock on the directory, so that a second
// server is refused.
// Failure: Status. A collection that cannot be opened is set aside and named in damaged(); the others are served.
//
//   auto database = index::Database::Open({.directory = "/var/lib/sightline"});
//   auto collection = (*database)->Create({.name = "shop", .embedding_space = space, .descriptor_dim = 256});
#ifndef SIGHTLINE_INDEX_DATABASE_H_
#define SIGHTLINE_INDEX_DATABASE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "index/collection.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace sightline::index {

namespace gpu {
class ListDevice;
class RowDevice;
}  // namespace gpu

// Sizes of what searches work on. The defaults are for use; tests take smaller ones.
struct SegmentOptions {
  uint32_t chunk_rows = 32'768;       // rows sealed into one file; a power of two
  uint32_t segment_rows = 1'048'576;  // rows under one graph; a multiple of chunk_rows
  double max_dead_share = 0.2;        // a segment with more dead rows is rebuilt
  // A collection with inverted lists whose int8 codes would take a greater share of the memory budget gets product
  // codes, of an eighth of their size, and reads the others from disk.
  double max_code_share = 0.25;
  bool background = true;  // false: seal and build only in Optimize
};

struct DatabaseOptions {
  std::string directory;
  RecordLimits limits = {};
  const base::Clock* clock = &base::Clock::Real();  // must outlive the database
  absl::Duration request_id_retention = absl::Hours(24);
  size_t max_pending_writes = 4096;      // per collection; beyond it writes get RESOURCE_EXHAUSTED
  size_t max_pending_bytes = 256 << 20;  // the same, by size; a single larger write is taken when nothing waits
  // Of all collections together.
  int64_t memory_budget_bytes = 0;  // beyond it writes get RESOURCE_EXHAUSTED; 0 sets no limit
  int search_threads = 2;           // share one large search
  int build_threads = 1;            // seal, merge and build graphs, at low priority
  SegmentOptions segments = {};
  size_t block_cache_bytes = 256 << 20;
  size_t write_buffer_bytes = 256 << 20;
  // After a failed write the files of its collection are opened again, and reads wait. It is tried again after so many
  // times as long as that took, or once twice as much space is free.
  int recovery_rest = 9;
  // Sealed rows of all collections are moved there, as many as fit, and compared there (index/gpu/row_device.h); null:
  // none. Results are the same.
  std::shared_ptr<gpu::RowDevice> card = nullptr;
  // The same of collections with inverted lists, instead of comparing all their rows (index/gpu/list_device.h). Results
  // are those of lists on the CPU, but for what half precision cannot tell apart.
  std::shared_ptr<gpu::ListDevice> card_lists = nullptr;
  rocksdb::Env* env = nullptr;  // under every file of a collection; nullptr: the real one. Must outlive the database
  // Open only prepares the directory; until OpenCollections has been called there is no collection.
  bool open_later = false;
  // For data that the memory is too short for: codes of sealed chunks stay in their files, graphs and inverted lists
  // are neither loaded nor built (those on disk are kept), caches are small.
  bool low_memory = false;
  // For what is left after damage, with little memory: nothing is built or tidied, and a collection that would be set
  // aside is opened for reading, without what is damaged of it.
  bool recovery = false;
};

struct DamagedCollection {
  std::string name;
  absl::Status status;
  bool readable = false;  // with DatabaseOptions::recovery: what is left of it is served
};

struct SnapshotInfo {
  std::string name;  // "snapshots/" and a number
  std::string collection;
  int64_t sequence = 0;  // up to which it holds every write
  int64_t images = 0;
  int64_t size_bytes = 0;
  std::string sha256;  // of its manifest, lower-case hex
  absl::Time create_time;
};

// Threading: one thread at a time.
class SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;
  virtual int64_t size() const = 0;
  // Up to `most` bytes from `offset`; fewer only at the end.
  virtual absl::StatusOr<std::string> Read(int64_t offset, int64_t most) = 0;
};

// Threading: one thread at a time. Destroying it before Finish leaves nothing.
class SnapshotWriter {
 public:
  virtual ~SnapshotWriter() = default;
  virtual absl::Status Append(absl::string_view data) = 0;
  // Verifies every checksum and lists the snapshot, under a new name.
  virtual absl::StatusOr<SnapshotInfo> Finish() = 0;
};

// A second space of the images of a collection, which searches do not use.
struct OtherSpace {
  std::string model;
  std::string embedding_space;
  int descriptor_dim = 0;
  int64_t images = 0;
  bool previous = false;  // the space before the last swap; otherwise one that is being filled
  absl::Time drop_time;   // with `previous`
};

// The way from the space of a collection to its other one: who holds this fills `to` with what `from` has, while
// searches and writes go on in `from`, and swaps the two.
//
// Threading: TakeChanges from any thread; Swap from one, once. Ownership: must not outlive the database. Destroyed
// before Swap it leaves the other space as it is, to be gone on with.
class SpaceTransfer {
 public:
  virtual ~SpaceTransfer() = default;
  virtual const std::shared_ptr<Collection>& from() const = 0;
  virtual const std::shared_ptr<Collection>& to() const = 0;

  // The ids written to `from` or deleted from it since the last call, or since the transfer began.
  virtual std::vector<std::string> TakeChanges() = 0;

  // Holds the writes of `from`, calls `finish`, which carries over the last changes, and makes `to` the collection, in
  // one durable step. Writes that were held are refused with UNAVAILABLE and COLLECTION_MOVED, and belong to the new
  // space; searches under way end in the old one, which is kept until `drop_time`. Request ids go along. An error, also
  // one of `finish`, changes nothing.
  virtual absl::Status Swap(absl::Time drop_time, absl::FunctionRef<absl::Status()> finish) = 0;
};

class Database {
 public:
  virtual ~Database() = default;

  // Creates the directory when it does not exist.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const DatabaseOptions& options);

  // With DatabaseOptions::open_later: opens every collection, once; calls to other methods may wait meanwhile. `opened`
  // is told after each one.
  virtual absl::Status OpenCollections(const Progress& opened) = 0;

  // ALREADY_EXISTS when a collection or an alias has the name. Durable on OK.
  virtual absl::StatusOr<std::shared_ptr<Collection>> Create(const CollectionConfig& config) = 0;

  // By its name or an alias. NOT_FOUND when there is none. Every other method takes a collection's own name.
  virtual absl::StatusOr<std::shared_ptr<Collection>> Find(const std::string& name) const = 0;

  // By name.
  virtual std::vector<std::shared_ptr<Collection>> List() const = 0;

  // Deletes a collection with its files and its aliases, in one durable step. Returns how many images went with it.
  // Calls in flight end with NOT_FOUND. INVALID_ARGUMENT for an alias.
  virtual absl::StatusOr<int64_t> Delete(const std::string& name) = 0;

  virtual std::vector<DamagedCollection> damaged() const = 0;

  // Bytes of memory that the collections hold together; the budget is compared with it.
  virtual int64_t memory_bytes() const = 0;
  // In place of DatabaseOptions::memory_budget_bytes, for writes from now on.
  virtual void SetMemoryBudget(int64_t bytes) = 0;

  // ---- Aliases: names that stand for a collection (FORMAT.md)

  // Lets `alias` stand for `collection`, or moves it there: whoever asks for it finds the one or the other, never
  // neither. Durable on OK. ALREADY_EXISTS when a collection has the name.
  virtual absl::StatusOr<std::shared_ptr<Collection>> SetAlias(const std::string& alias,
                                                               const std::string& collection) = 0;
  // Durable on OK. NOT_FOUND when there is none.
  virtual absl::Status DeleteAlias(const std::string& alias) = 0;
  // By name.
  virtual std::vector<std::string> AliasesOf(const std::string& collection) const = 0;
  // The damaged file of aliases that was set aside when the database was opened, or empty.
  virtual std::string aliases_set_aside() const = 0;

  // ---- Snapshots: consistent copies of one collection, kept under the data directory (FORMAT.md)

  // Consistent under writes: it holds every write acknowledged before the call.
  virtual absl::StatusOr<SnapshotInfo> CreateSnapshot(const std::string& collection, const Progress& progress) = 0;

  // Newest first. Empty `collection`: of all. A damaged snapshot is left out and logged.
  virtual absl::StatusOr<std::vector<SnapshotInfo>> ListSnapshots(const std::string& collection) const = 0;

  virtual absl::Status DeleteSnapshot(const std::string& name) = 0;

  // Makes a new collection named `collection` from a snapshot, after every checksum has been verified.
  virtual absl::StatusOr<std::shared_ptr<Collection>> RestoreSnapshot(const std::string& name,
                                                                      const std::string& collection,
                                                                      const Progress& progress) = 0;

  // A snapshot as one stream of bytes, for another machine.
  virtual absl::StatusOr<std::unique_ptr<SnapshotReader>> ReadSnapshot(const std::string& name) const = 0;
  // `sha256` is that of the stream's manifest, as SnapshotInfo tells it.
  virtual absl::StatusOr<std::unique_ptr<SnapshotWriter>> WriteSnapshot(const std::string& sha256) = 0;

  // ---- Other spaces (FORMAT.md): at most one of each collection

  // Opens the other space of the collection `to.name`, or makes it when there is none; `to` says what it holds.
  // FAILED_PRECONDITION when it is in use, or is one of another embedding space.
  virtual absl::StatusOr<std::unique_ptr<SpaceTransfer>> OpenTransfer(const CollectionConfig& to) = 0;

  // Empty when the collection has none.
  virtual std::optional<OtherSpace> FindOtherSpace(const std::string& collection) const = 0;

  // The space that is being filled, for records that only the caller can make. FAILED_PRECONDITION when there is none.
  virtual absl::StatusOr<std::shared_ptr<Collection>> FindFillingSpace(const std::string& collection) const = 0;

  // Deletes the other space and its files. FAILED_PRECONDITION when there is none, or when it is in use.
  virtual absl::Status DropOtherSpace(const std::string& collection) = 0;

  // Drops the spaces whose time has come, and lets go of the memory of those that are only kept. To be called now and
  // then.
  virtual void TidySpaces() = 0;

  virtual const RecordLimits& limits() const = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_DATABASE_H_
