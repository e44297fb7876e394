// LocalDatabase: the Database of one data directory of this machine (FORMAT.md describes the folders).
//
// Threading: see Database. Create and Delete of different names do not wait for each other's file work; the mutex is
// held for the tables only, and a name being created or deleted is reserved meanwhile. Ownership: owns the lock on the
// directory and shares the collections. Failure: Status.
#ifndef SIGHTLINE_INDEX_LOCAL_DATABASE_H_
#define SIGHTLINE_INDEX_LOCAL_DATABASE_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "index/database.h"
#include "index/local_collection.h"
#include "index/memory_budget.h"
#include "index/snapshots.h"
#include "index/store/aliases_file.h"
#include "index/store/rocks.h"
#include "index/store/spaces_file.h"

namespace sightline::index {

// The folders of a data directory.
inline constexpr absl::string_view kCollections = "collections";
inline constexpr absl::string_view kSnapshots = "snapshots";
inline constexpr absl::string_view kStaging = "staging";  // collections and snapshots being made
inline constexpr absl::string_view kTrash = "trash";      // the same, being deleted

// The reason of the error that a collection has no other space.
inline constexpr char kNoOtherSpace[] = "NO_OTHER_SPACE";

// "data directory, format 1"; NOT_FOUND where there is no data directory yet, FAILED_PRECONDITION when another version
// wrote it.
absl::StatusOr<std::string> ReadDirectoryFormat(const std::string& directory);

class LocalDatabase : public Database {
 public:
  static absl::StatusOr<std::unique_ptr<LocalDatabase>> Open(const DatabaseOptions& options);
  ~LocalDatabase() override;

  absl::Status OpenCollections(const Progress& opened) override;
  absl::StatusOr<std::shared_ptr<Collection>> Create(const CollectionConfig& config) override;
  absl::StatusOr<std::shared_ptr<Collection>> Find(const std::string& name) const override;
  std::vector<std::shared_ptr<Collection>> List() const override;
  absl::StatusOr<int64_t> Delete(const std::string& name) override;
  std::vector<DamagedCollection> damaged() const override;
  absl::StatusOr<std::shared_ptr<Collection>> SetAlias(const std::string& alias,
                                                       const std::string& collection) override;
  absl::Status DeleteAlias(const std::string& alias) override;
  std::vector<std::string> AliasesOf(const std::string& collection) const override;
  std::string aliases_set_aside() const override;
  const RecordLimits& limits() const override { return options_.limits; }
  int64_t memory_bytes() const override;
  void SetMemoryBudget(int64_t bytes) override { budget_.SetLimit(bytes); }
  absl::StatusOr<SnapshotInfo> CreateSnapshot(const std::string& collection, const Progress& progress) override;
  absl::StatusOr<std::vector<SnapshotInfo>> ListSnapshots(const std::string& collection) const override;
  absl::Status DeleteSnapshot(const std::string& name) override;
  absl::StatusOr<std::shared_ptr<Collection>> RestoreSnapshot(const std::string& name, const std::string& collection,
                                                              const Progress& progress) override;
  absl::StatusOr<std::unique_ptr<SnapshotReader>> ReadSnapshot(const std::string& name) const override;
  absl::StatusOr<std::unique_ptr<SnapshotWriter>> WriteSnapshot(const std::string& sha256) override;
  absl::StatusOr<std::unique_ptr<SpaceTransfer>> OpenTransfer(const CollectionConfig& to) override;
  std::optional<OtherSpace> FindOtherSpace(const std::string& collection) const override;
  absl::StatusOr<std::shared_ptr<Collection>> FindFillingSpace(const std::string& collection) const override;
  absl::Status DropOtherSpace(const std::string& collection) override;
  void TidySpaces() override;

 private:
  class LocalTransfer;
  // A collection and its folder's name; without collection when it is set aside, with both when only what is left of it
  // is served.
  struct Entry {
    std::string folder;
    std::shared_ptr<LocalCollection> collection;
    absl::Status damage;
  };

  // The other space of a collection.
  struct Other {
    std::string folder;
    // Null for a space before that nobody uses, and for one that is set aside.
    std::shared_ptr<LocalCollection> collection;
    absl::Status damage;
    OtherSpace info;    // its number of images is that of an open collection, where there is one
    bool busy = false;  // a transfer works on it
  };

  LocalDatabase(const DatabaseOptions& options, std::unique_ptr<base::FileLock> lock);

  std::string PathOf(absl::string_view area, absl::string_view folder = "") const;
  absl::Status PrepareFolders() const;
  // Removes what an interrupted Create or Delete has left.
  absl::Status EmptyArea(absl::string_view area) const;
  // `ambiguous`: nothing says which of several folders is the collection.
  void OpenFolder(const std::string& folder, const SpacesByName& spaces, bool ambiguous)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OpenOne(const std::string& folder) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What the file `spaces` says; renames a damaged one and says so.
  absl::StatusOr<SpacesByName> ReadSpaces(bool* damaged) const;
  void OpenOther(const std::string& name, const StoredSpaces& stored) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What the file is to say.
  SpacesByName DescribeSpaces() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteSpaces(const SpacesByName& spaces) const;
  // Makes the folder of a new space and opens it.
  absl::Status MakeOther(const CollectionConfig& to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(space_mutex_);
  // Opens a space before again, under a new object: whoever still holds the old one reads from it and writes nothing.
  absl::Status ReopenOther(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(space_mutex_);
  absl::Status DropOther(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(space_mutex_);
  absl::Status SwapSpaces(const std::string& name, absl::Time drop_time);
  // What the file `aliases` says; renames a damaged one and says so.
  absl::StatusOr<AliasMap> ReadAliases();
  absl::Status WriteAliases(const AliasMap& aliases) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(alias_mutex_);
  // Of `stored`, those whose collection is there.
  void TakeAliases(AliasMap stored) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes the file if it says too much.
  absl::Status FlushAliases();
  // Writes `after`, or leaves `before`.
  absl::Status ReplaceAliases(const AliasMap& before, const AliasMap& after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(alias_mutex_);
  // The name of the collection that `name` stands for; itself when it is no alias.
  const std::string& Resolve(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckAlias(const std::string& alias, const std::string& collection) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<LocalCollection>> OpenCollection(const std::string& folder,
                                                                  Store::Care care = Store::Care::kWhole);
  // Makes a collection of what `fill` puts into a new folder.
  absl::StatusOr<Entry> MakeCollection(const std::string& name,
                                       absl::FunctionRef<absl::Status(const std::string& folder)> fill);
  // The same under a name that is free, and adds it to the collections.
  absl::StatusOr<std::shared_ptr<Collection>> AddCollection(
      const std::string& name, absl::FunctionRef<absl::Status(const std::string& folder)> fill);
  absl::Status Reserve(const std::string& name);
  // One that is served.
  absl::StatusOr<Entry> FindEntry(const std::string& name) const;
  absl::StatusOr<Entry> ServedEntry(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status NotFound(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DatabaseOptions options_;
  const std::unique_ptr<base::FileLock> lock_;
  const RocksResources resources_;
  MemoryBudget budget_;
  base::ThreadPool search_pool_;
  base::ThreadPool build_pool_;
  Snapshots snapshots_;
  base::Mutex space_mutex_;  // held while the file `spaces` and its folders change; taken before mutex_
  base::Mutex alias_mutex_;  // held while the file `aliases` changes; taken before mutex_
  mutable base::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Other> others_ ABSL_GUARDED_BY(mutex_);  // by the collection's name
  std::set<std::string> reserved_ ABSL_GUARDED_BY(mutex_);       // being created or deleted
  AliasMap aliases_ ABSL_GUARDED_BY(mutex_);                     // their names are no collection's
  bool aliases_stale_ ABSL_GUARDED_BY(mutex_) = false;           // the file has some that went with their collection
  std::string aliases_set_aside_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_LOCAL_DATABASE_H_
