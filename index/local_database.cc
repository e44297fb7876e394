#include "index/local_database.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/status.h"
#include "index/store/checkpoint.h"
#include "index/store/errors.h"
#include "index/store/file_work.h"
#include "index/store/random_id.h"
#include "index/store/snapshot_manifest.h"
#include "index/store/store.h"
#include "index/validate.h"

namespace sightline::index {
namespace {

// Background work yields to searches: as `nice -n 10`.
constexpr int kUpkeepNice = 10;

void LowerPriority() { ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kUpkeepNice); }

constexpr absl::string_view kFormatFile = "FORMAT";
constexpr absl::string_view kFormat = "sightline data directory, format 1\n";
constexpr int64_t kMaxFormatBytes = 4096;
constexpr size_t kLittle = 8 << 20;  // bytes of a cache or queue, where memory is short

// The name of a collection's folder is its name, a dot and random digits: a path is never used twice, so that calls
// still running in a deleted collection cannot touch a new one of the same name.
std::string NameOf(const std::string& folder) { return folder.substr(0, folder.find('.')); }

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const DatabaseOptions& options) {
  return LocalDatabase::Open(options);
}

LocalDatabase::LocalDatabase(const DatabaseOptions& options, std::unique_ptr<base::FileLock> lock)
    : options_(options),
      lock_(std::move(lock)),
      resources_(options.block_cache_bytes, options.write_buffer_bytes, options.env, options.recovery_rest,
                 options.low_memory),
      budget_(options.memory_budget_bytes, [this] { return memory_bytes(); }),
      // The thread that asks takes part.
      search_pool_({.name = "compare", .threads = std::max(1, options.search_threads - 1), .on_thread_start = {}}),
      build_pool_({.name = "upkeep", .threads = std::max(1, options.build_threads), .on_thread_start = LowerPriority}),
      snapshots_({PathOf(kSnapshots), PathOf(kStaging), PathOf(kTrash)}, resources_, *options.clock) {}

LocalDatabase::~LocalDatabase() {
  base::MutexLock lock(mutex_);
  for (auto& [name, entry] : entries_) {
    if (entry.collection == nullptr) continue;
    entry.collection->Flush();
    entry.collection->Close();
  }
  for (auto& [name, other] : others_) {
    if (other.collection == nullptr) continue;
    other.collection->Flush();
    other.collection->Close();
  }
}

absl::StatusOr<std::unique_ptr<LocalDatabase>> LocalDatabase::Open(const DatabaseOptions& asked) {
  DatabaseOptions options = asked;
  if (options.recovery) {
    options.low_memory = true;
    options.segments.background = false;
  }
  if (options.low_memory) {
    options.block_cache_bytes = std::min(options.block_cache_bytes, kLittle);
    options.write_buffer_bytes = std::min(options.write_buffer_bytes, kLittle);
    options.max_pending_bytes = std::min(options.max_pending_bytes, kLittle);
  }
  SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(options.directory));
  SIGHTLINE_ASSIGN_OR_RETURN(auto lock, base::FileLock::Acquire(absl::StrCat(options.directory, "/LOCK")));
  std::unique_ptr<LocalDatabase> database(new LocalDatabase(options, std::move(lock)));
  SIGHTLINE_RETURN_IF_ERROR(database->PrepareFolders());
  if (!options.open_later) SIGHTLINE_RETURN_IF_ERROR(database->OpenCollections(nullptr));
  return database;
}

std::string LocalDatabase::PathOf(absl::string_view area, absl::string_view folder) const {
  return folder.empty() ? absl::StrCat(options_.directory, "/", area)
                        : absl::StrCat(options_.directory, "/", area, "/", folder);
}

absl::StatusOr<std::string> ReadDirectoryFormat(const std::string& directory) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::string format,
                             base::ReadFile(absl::StrCat(directory, "/", kFormatFile), kMaxFormatBytes));
  if (absl::string_view(format) == kFormat) {
    format.pop_back();
    return format;
  }
  return base::FailedPrecondition("FORMAT_UNKNOWN",
                                  absl::StrCat(directory,
                                               " was written in a format that this version does not know. Run the "
                                               "version that wrote it, or use another data directory."),
                                  {{"path", directory}});
}

absl::Status LocalDatabase::PrepareFolders() const {
  const absl::StatusOr<std::string> format = ReadDirectoryFormat(options_.directory);
  if (absl::IsNotFound(format.status())) {
    SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(PathOf(kFormatFile), kFormat));
  } else if (!format.ok()) {
    return format.status();
  }
  for (const absl::string_view area : {kCollections, kSnapshots, kStaging, kTrash}) {
    SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(PathOf(area)));
  }
  if (options_.recovery) return absl::OkStatus();
  SIGHTLINE_RETURN_IF_ERROR(EmptyArea(kStaging));
  return EmptyArea(kTrash);
}

absl::Status LocalDatabase::EmptyArea(absl::string_view area) const {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> folders, base::ListFolder(PathOf(area)));
  for (const std::string& folder : folders) SIGHTLINE_RETURN_IF_ERROR(RemoveTree(PathOf(area, folder)));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<LocalCollection>> LocalDatabase::OpenCollection(const std::string& folder,
                                                                               Store::Care care) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Store> store,
                             Store::Open(PathOf(kCollections, folder), resources_, options_.limits, care));
  if (store->config().name != NameOf(folder)) {
    return base::Error(absl::StatusCode::kDataLoss, "DATA_DAMAGED",
                       absl::StrCat("folder ", folder, " holds a collection named ", store->config().name,
                                    ". Give the folder the name it had."));
  }
  const EnginePools pools{.search = options_.search_threads > 1 ? &search_pool_ : nullptr, .build = &build_pool_};
  return LocalCollection::Open(std::move(store), absl::StrCat(PathOf(kCollections, folder), "/", kSegmentFolder),
                               options_, {pools, &budget_});
}

absl::Status LocalDatabase::OpenCollections(const Progress& opened) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> folders, base::ListFolder(PathOf(kCollections)));
  bool spaces_damaged = false;
  SIGHTLINE_ASSIGN_OR_RETURN(const SpacesByName spaces, ReadSpaces(&spaces_damaged));
  SIGHTLINE_ASSIGN_OR_RETURN(AliasMap aliases, ReadAliases());
  std::map<std::string, int> folders_of;
  for (const std::string& folder : folders) ++folders_of[NameOf(folder)];
  {
    base::MutexLock lock(mutex_);
    int64_t done = 0;
    for (const std::string& folder : folders) {
      OpenFolder(folder, spaces, /*ambiguous=*/spaces_damaged && folders_of[NameOf(folder)] > 1);
      if (opened != nullptr && !opened(++done, static_cast<int64_t>(folders.size()))) {
        return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                           "opening the collections was cancelled. Start again.");
      }
    }
    TakeAliases(std::move(aliases));
  }
  // What cannot be written now is written before a name can be taken again.
  if (!options_.recovery) FlushAliases().IgnoreError();
  return absl::OkStatus();
}

void LocalDatabase::OpenFolder(const std::string& folder, const SpacesByName& spaces, bool ambiguous) {
  const std::string name = NameOf(folder);
  if (ambiguous) {
    const std::string key = entries_.contains(name) ? folder : name;
    entries_[key] = {
        folder, nullptr,
        base::Error(absl::StatusCode::kDataLoss, "SPACES_DAMAGED",
                    absl::StrCat("the file that says which of the folders of ", name, " in ", PathOf(kCollections),
                                 " is the collection was damaged. Move the other one away, then "
                                 "restart."))};
    base::Log(base::Severity::kError, "collection set aside",
              {{"collection", key}, {"folder", folder}, {"error", std::string(entries_[key].damage.message())}});
    return;
  }
  const auto stored = spaces.find(name);
  if (stored != spaces.end() && stored->second.other_folder == folder) {
    OpenOther(name, stored->second);
  } else {
    OpenOne(folder);
  }
}

void LocalDatabase::OpenOne(const std::string& folder) {
  const auto started = options_.clock->Steady();
  absl::StatusOr<std::shared_ptr<LocalCollection>> collection = OpenCollection(folder);
  // Two folders of one name can only be a copy made by hand: the second one keeps its whole folder name.
  const std::string name = entries_.contains(NameOf(folder)) ? folder : NameOf(folder);
  if (collection.ok() && name != NameOf(folder)) {
    collection = base::FailedPrecondition(
        "DUPLICATE_COLLECTION", absl::StrCat("folder ", folder, " holds a second collection named ", NameOf(folder),
                                             ". Move one of them away."));
  }
  const absl::Status damage = collection.status();
  if (options_.recovery && absl::IsDataLoss(damage)) collection = OpenCollection(folder, Store::Care::kWhatIsLeft);
  if (!collection.ok()) {
    base::Log(base::Severity::kError, "collection set aside",
              {{"collection", name}, {"folder", folder}, {"error", std::string(damage.message())}});
    entries_[name] = {folder, nullptr, damage};
    return;
  }
  const double took = base::MillisecondsBetween(started, options_.clock->Steady());
  base::Log(damage.ok() ? base::Severity::kInfo : base::Severity::kError,
            damage.ok() ? "collection opened" : "collection opened for reading, without what is damaged",
            {{"collection", name},
             {"images", absl::StrCat((*collection)->Stats().images)},
             {"milliseconds", absl::StrCat(static_cast<int64_t>(took))},
             {"damage", std::string(damage.message())}});
  entries_[name] = {folder, *std::move(collection), damage};
}

absl::Status LocalDatabase::Reserve(const std::string& name) {
  base::MutexLock lock(mutex_);
  if (aliases_.contains(name)) {
    return base::Error(absl::StatusCode::kAlreadyExists, "ALIAS_EXISTS",
                       absl::StrCat("there is already an alias named ", name,
                                    ". Use the collection it stands for, or choose another name."),
                       {{"collection", name}});
  }
  const auto it = entries_.find(name);
  if (it == entries_.end() && reserved_.insert(name).second) return absl::OkStatus();
  const bool damaged = it != entries_.end() && it->second.collection == nullptr;
  return base::Error(absl::StatusCode::kAlreadyExists, "COLLECTION_EXISTS",
                     absl::StrCat("there is already a collection named ", name,
                                  damaged ? ", set aside because it is damaged. Restore or delete it first."
                                          : ". Use it, or choose another name."),
                     {{"collection", name}});
}

absl::StatusOr<LocalDatabase::Entry> LocalDatabase::MakeCollection(
    const std::string& name, absl::FunctionRef<absl::Status(const std::string& folder)> fill) {
  const std::string folder = absl::StrCat(name, ".", RandomHex(4));
  const std::string staging = PathOf(kStaging, folder);
  absl::Cleanup remove_staging = [&] { RemoveTreeOrLog(staging); };
  SIGHTLINE_RETURN_IF_ERROR(fill(staging));
  SIGHTLINE_KILL_POINT("create.after_staging");
  SIGHTLINE_RETURN_IF_ERROR(Move(staging, PathOf(kCollections, folder)));
  std::move(remove_staging).Cancel();
  SIGHTLINE_KILL_POINT("create.after_rename");
  // The caller is told of a failure, so the next start must not find what was made.
  absl::Cleanup remove = [&] {
    const absl::Status moved = Move(PathOf(kCollections, folder), PathOf(kTrash, folder));
    if (!moved.ok()) base::Log(base::Severity::kWarning, moved.message());
    RemoveTreeOrLog(PathOf(kTrash, folder));
  };
  SIGHTLINE_RETURN_IF_ERROR(base::SyncFolder(PathOf(kCollections)));
  SIGHTLINE_KILL_POINT("create.after_sync");
  SIGHTLINE_ASSIGN_OR_RETURN(std::shared_ptr<LocalCollection> collection, OpenCollection(folder));
  std::move(remove).Cancel();
  return Entry{folder, std::move(collection), absl::OkStatus()};
}

absl::StatusOr<std::shared_ptr<Collection>> LocalDatabase::AddCollection(
    const std::string& name, absl::FunctionRef<absl::Status(const std::string& folder)> fill) {
  SIGHTLINE_RETURN_IF_ERROR(Reserve(name));
  // No alias of a deleted collection may come to stand for a new one of its name.
  const absl::Status flushed = FlushAliases();
  absl::StatusOr<Entry> entry = flushed.ok() ? MakeCollection(name, fill) : flushed;
  base::MutexLock lock(mutex_);
  reserved_.erase(name);
  if (!entry.ok()) return entry.status();
  std::shared_ptr<Collection> collection = entry->collection;
  entries_[name] = *std::move(entry);
  return collection;
}

absl::StatusOr<std::shared_ptr<Collection>> LocalDatabase::Create(const CollectionConfig& config) {
  SIGHTLINE_RETURN_IF_ERROR(ValidateConfig(config, options_.limits));
  CollectionConfig stamped = config;
  stamped.create_time = options_.clock->Now();
  return AddCollection(config.name,
                       [&](const std::string& folder) { return Store::Create(folder, stamped, resources_); });
}

absl::Status LocalDatabase::NotFound(const std::string& name) const {
  // The name may be anything that a caller sent, and the caller one who must not hear the names of other collections.
  const std::string shown = ValidateCollectionName(name).ok() ? absl::StrCat(" named ", name) : " of that name";
  return base::NotFound(
      "COLLECTION_NOT_FOUND",
      absl::StrCat("there is no collection", shown, ". List the collections for the right name, or create it."),
      {{"collection", name}});
}

absl::StatusOr<LocalDatabase::Entry> LocalDatabase::FindEntry(const std::string& name) const {
  base::MutexLock lock(mutex_);
  return ServedEntry(name);
}

absl::StatusOr<LocalDatabase::Entry> LocalDatabase::ServedEntry(const std::string& name) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) return NotFound(name);
  if (it->second.collection != nullptr) return it->second;
  return base::Error(absl::StatusCode::kDataLoss, "COLLECTION_DAMAGED",
                     absl::StrCat("collection ", name, " is set aside: ", it->second.damage.message()),
                     {{"collection", name}});
}

absl::StatusOr<std::shared_ptr<Collection>> LocalDatabase::Find(const std::string& name) const {
  base::MutexLock lock(mutex_);
  // In one look: who moves an alias shows the one or the other.
  SIGHTLINE_ASSIGN_OR_RETURN(Entry entry, ServedEntry(Resolve(name)));
  return std::shared_ptr<Collection>(std::move(entry.collection));
}

std::vector<std::shared_ptr<Collection>> LocalDatabase::List() const {
  base::MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Collection>> collections;
  for (const auto& [name, entry] : entries_) {
    if (entry.collection != nullptr) collections.push_back(entry.collection);
  }
  return collections;
}

absl::StatusOr<int64_t> LocalDatabase::Delete(const std::string& name) {
  {
    base::MutexLock space_lock(space_mutex_);
    const absl::Status dropped = DropOther(name);
    if (!dropped.ok() && base::GetErrorInfo(dropped).reason != kNoOtherSpace) return dropped;
  }
  Entry entry;
  {
    base::MutexLock lock(mutex_);
    if (const auto alias = aliases_.find(name); alias != aliases_.end()) {
      return base::InvalidArgument("ALIAS_REFUSED",
                                   absl::StrCat(name, " is an alias of the collection ", alias->second,
                                                ", and only a collection's own name deletes it. Name the collection, "
                                                "or delete the alias alone."),
                                   {{"field", "name"}, {"actual", name}});
    }
    const auto it = entries_.find(name);
    if (it == entries_.end()) return NotFound(name);
    if (others_.contains(name)) {
      return base::FailedPrecondition(
          "REEMBED_RUNNING",
          absl::StrCat("collection ", name, " is being embedded again. Cancel that first, then delete it."),
          {{"collection", name}});
    }
    entry = std::move(it->second);
    entries_.erase(it);
    reserved_.insert(name);
  }
  const int64_t images = entry.collection == nullptr ? 0 : entry.collection->Close();
  entry.collection.reset();
  SIGHTLINE_KILL_POINT("delete.before_rename");
  absl::Status moved = Move(PathOf(kCollections, entry.folder), PathOf(kTrash, entry.folder));
  SIGHTLINE_KILL_POINT("delete.after_rename");
  if (moved.ok()) moved = base::SyncFolder(PathOf(kCollections));
  {
    base::MutexLock lock(mutex_);
    reserved_.erase(name);
    if (!moved.ok()) {
      // Closed and still there: the next start serves it again, and until then it can be deleted again.
      entry.damage = moved;
      entries_[name] = std::move(entry);
      return moved;
    }
    // An alias whose collection has no folder means nothing: these are gone as durably as the folder is.
    if (std::erase_if(aliases_, [&](const auto& alias) { return alias.second == name; }) > 0) aliases_stale_ = true;
  }
  SIGHTLINE_KILL_POINT("delete.after_sync");
  if (const absl::Status written = FlushAliases(); !written.ok()) {
    base::Log(base::Severity::kWarning, written.message(), {{"collection", name}});
  }
  // It is gone for good; what is left is tidying up, which the next start repeats.
  if (const absl::Status removed = RemoveTree(PathOf(kTrash, entry.folder)); !removed.ok()) {
    base::Log(base::Severity::kWarning, removed.message(), {{"collection", name}});
  }
  return images;
}

std::vector<DamagedCollection> LocalDatabase::damaged() const {
  base::MutexLock lock(mutex_);
  std::vector<DamagedCollection> damaged;
  for (const auto& [name, entry] : entries_) {
    if (!entry.damage.ok()) damaged.push_back({name, entry.damage, entry.collection != nullptr});
  }
  return damaged;
}

int64_t LocalDatabase::memory_bytes() const {
  base::MutexLock lock(mutex_);
  int64_t bytes = 0;
  for (const auto& [name, entry] : entries_) {
    if (entry.collection != nullptr) bytes += entry.collection->memory().total();
  }
  for (const auto& [name, other] : others_) {
    if (other.collection != nullptr) bytes += other.collection->memory().total();
  }
  return bytes;
}

// ---- Snapshots

absl::StatusOr<SnapshotInfo> LocalDatabase::CreateSnapshot(const std::string& collection, const Progress& progress) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Entry entry, FindEntry(collection));
  const auto checkpoint = [&](const std::string& folder) { return entry.collection->MakeCheckpoint(folder); };
  const std::string segments = absl::StrCat(PathOf(kCollections, entry.folder), "/", kSegmentFolder);
  return snapshots_.Create({checkpoint, segments}, progress);
}

absl::StatusOr<std::vector<SnapshotInfo>> LocalDatabase::ListSnapshots(const std::string& collection) const {
  return snapshots_.List(collection);
}

absl::Status LocalDatabase::DeleteSnapshot(const std::string& name) { return snapshots_.Delete(name); }

absl::StatusOr<std::shared_ptr<Collection>> LocalDatabase::RestoreSnapshot(const std::string& name,
                                                                           const std::string& collection,
                                                                           const Progress& progress) {
  SIGHTLINE_RETURN_IF_ERROR(ValidateCollectionName(collection));
  return AddCollection(collection, [&](const std::string& folder) -> absl::Status {
    SIGHTLINE_RETURN_IF_ERROR(snapshots_.CopyTo(name, folder, progress));
    return RenameStoredCollection(folder, collection, resources_, options_.limits);
  });
}

absl::StatusOr<std::unique_ptr<SnapshotReader>> LocalDatabase::ReadSnapshot(const std::string& name) const {
  return snapshots_.Read(name);
}

absl::StatusOr<std::unique_ptr<SnapshotWriter>> LocalDatabase::WriteSnapshot(const std::string& sha256) {
  return snapshots_.Write(sha256);
}

}  // namespace sightline::index
