// The other spaces of a database's collections: making, filling, swapping and dropping them.
//
// The file `spaces` alone says which folder of a collection is served (FORMAT.md). Before a folder comes to its place
// the file names it as the other one, and after it went away the file forgets it; so a crash in between leaves a name
// without a folder, which means nothing, and never a folder that could be taken for the collection.
#include <sys/stat.h>

#include <cstdio>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/status.h"
#include "index/local_database.h"
#include "index/store/file_work.h"
#include "index/store/random_id.h"
#include "index/store/store.h"
#include "index/validate.h"

namespace sightline::index {
namespace {

constexpr absl::string_view kSpacesFile = "spaces";
constexpr int64_t kMaxSpacesBytes = 64 << 20;
// Request ids are copied before writes are held; those of the last moments are copied again while they are.
constexpr absl::Duration kCopyOverlap = absl::Minutes(1);

absl::Status NoOtherSpace(const std::string& name) {
  return base::FailedPrecondition(kNoOtherSpace,
                                  absl::StrCat("collection ", name,
                                               " has no other space: it is not being embedded again, and no space "
                                               "before is kept. Start with ReembedCollection."),
                                  {{"collection", name}});
}

absl::Status SpaceInUse(const std::string& name) {
  return base::FailedPrecondition(
      "REEMBED_RUNNING",
      absl::StrCat("collection ", name, " is being embedded again. Wait until that has ended, or cancel it first."),
      {{"collection", name}});
}

OtherSpace Describe(const CollectionConfig& config) {
  OtherSpace space;
  space.model = config.model;
  space.embedding_space = config.embedding_space;
  space.descriptor_dim = config.descriptor_dim;
  return space;
}

}  // namespace

class LocalDatabase::LocalTransfer final : public SpaceTransfer {
 public:
  LocalTransfer(LocalDatabase& database, std::string name, std::shared_ptr<LocalCollection> from,
                std::shared_ptr<LocalCollection> to)
      : database_(database),
        name_(std::move(name)),
        local_from_(std::move(from)),
        local_to_(std::move(to)),
        from_(local_from_),
        to_(local_to_) {
    local_from_->TrackChanges();
  }
  ~LocalTransfer() override {
    local_from_->StopTracking();
    base::MutexLock lock(database_.mutex_);
    if (const auto it = database_.others_.find(name_); it != database_.others_.end()) it->second.busy = false;
  }

  const std::shared_ptr<Collection>& from() const override { return from_; }
  const std::shared_ptr<Collection>& to() const override { return to_; }
  std::vector<std::string> TakeChanges() override { return local_from_->TakeChanges(); }

  absl::Status Swap(absl::Time drop_time, absl::FunctionRef<absl::Status()> finish) override {
    const absl::Time begin = database_.options_.clock->Now();
    SIGHTLINE_RETURN_IF_ERROR(local_to_->CopyRequests(*local_from_, absl::InfinitePast()));
    return local_from_->MoveWrites([&]() -> absl::Status {
      SIGHTLINE_RETURN_IF_ERROR(finish());
      // They may have been changed since the other space was made.
      SIGHTLINE_RETURN_IF_ERROR(local_to_->TakeSettings(local_from_->config()));
      SIGHTLINE_RETURN_IF_ERROR(local_to_->CopyRequests(*local_from_, begin - kCopyOverlap));
      return database_.SwapSpaces(name_, drop_time);
    });
  }

 private:
  LocalDatabase& database_;
  const std::string name_;
  const std::shared_ptr<LocalCollection> local_from_;
  const std::shared_ptr<LocalCollection> local_to_;
  const std::shared_ptr<Collection> from_;
  const std::shared_ptr<Collection> to_;
};

// ---- The file

absl::StatusOr<SpacesByName> LocalDatabase::ReadSpaces(bool* damaged) const {
  const std::string path = PathOf(kSpacesFile);
  const absl::StatusOr<std::string> bytes = base::ReadFile(path, kMaxSpacesBytes);
  if (absl::IsNotFound(bytes.status())) return SpacesByName();
  SIGHTLINE_RETURN_IF_ERROR(bytes.status());
  absl::StatusOr<SpacesByName> spaces = DecodeSpaces(*bytes);
  if (!absl::IsDataLoss(spaces.status())) return spaces;
  *damaged = true;
  const std::string aside = absl::StrCat(path, ".damaged-", absl::ToUnixSeconds(options_.clock->Now()));
  SIGHTLINE_RETURN_IF_ERROR(Move(path, aside));
  base::Log(base::Severity::kError, "spaces set aside",
            {{"path", aside}, {"error", std::string(spaces.status().message())}});
  return SpacesByName();
}

SpacesByName LocalDatabase::DescribeSpaces() const {
  SpacesByName spaces;
  for (const auto& [name, other] : others_) {
    const auto live = entries_.find(name);
    spaces[name] = {.live_folder = live == entries_.end() ? "" : live->second.folder,
                    .other_folder = other.folder,
                    .previous = other.info.previous,
                    .drop_time = other.info.drop_time,
                    .model = other.info.model,
                    .embedding_space = other.info.embedding_space,
                    .descriptor_dim = other.info.descriptor_dim,
                    .images = other.info.images};
  }
  return spaces;
}

absl::Status LocalDatabase::WriteSpaces(const SpacesByName& spaces) const {
  return base::WriteFileDurably(PathOf(kSpacesFile), EncodeSpaces(spaces));
}

void LocalDatabase::OpenOther(const std::string& name, const StoredSpaces& stored) {
  Other& other = others_[name];
  other.folder = stored.other_folder;
  other.info = {.model = stored.model,
                .embedding_space = stored.embedding_space,
                .descriptor_dim = stored.descriptor_dim,
                .images = stored.images,
                .previous = stored.previous,
                .drop_time = stored.drop_time};
  // One that is only kept takes no memory.
  if (stored.previous) return;
  absl::StatusOr<std::shared_ptr<LocalCollection>> collection = OpenCollection(stored.other_folder);
  if (collection.ok()) {
    other.collection = *std::move(collection);
    return;
  }
  other.damage = collection.status();
  base::Log(base::Severity::kError, "other space set aside",
            {{"collection", name}, {"folder", other.folder}, {"error", std::string(other.damage.message())}});
}

// ---- Opening

absl::Status LocalDatabase::MakeOther(const CollectionConfig& to) {
  const std::string folder = absl::StrCat(to.name, ".", RandomHex(4));
  const std::string staging = PathOf(kStaging, folder);
  absl::Cleanup remove_staging = [&] { RemoveTreeOrLog(staging); };
  SIGHTLINE_RETURN_IF_ERROR(Store::Create(staging, to, resources_));
  SpacesByName spaces;
  {
    base::MutexLock lock(mutex_);
    others_[to.name] = {.folder = folder, .collection = nullptr, .damage = {}, .info = Describe(to)};
    spaces = DescribeSpaces();
  }
  absl::Cleanup forget = [&] {
    base::MutexLock lock(mutex_);
    others_.erase(to.name);
  };
  SIGHTLINE_RETURN_IF_ERROR(WriteSpaces(spaces));
  SIGHTLINE_KILL_POINT("space.named");
  SIGHTLINE_RETURN_IF_ERROR(Move(staging, PathOf(kCollections, folder)));
  std::move(remove_staging).Cancel();
  SIGHTLINE_KILL_POINT("space.moved");
  SIGHTLINE_RETURN_IF_ERROR(base::SyncFolder(PathOf(kCollections)));
  absl::StatusOr<std::shared_ptr<LocalCollection>> collection = OpenCollection(folder);
  std::move(forget).Cancel();
  base::MutexLock lock(mutex_);
  // One that does not open stays named, so that it can be dropped.
  Other& other = others_[to.name];
  if (!collection.ok()) return other.damage = collection.status();
  other.collection = *std::move(collection);
  return absl::OkStatus();
}

absl::Status LocalDatabase::ReopenOther(const std::string& name) {
  std::shared_ptr<LocalCollection> old;
  std::string folder;
  {
    base::MutexLock lock(mutex_);
    Other& other = others_.at(name);
    old = std::move(other.collection);
    folder = other.folder;
  }
  if (old != nullptr) {
    old->Flush();
    old->Close();
  }
  absl::StatusOr<std::shared_ptr<LocalCollection>> collection = OpenCollection(folder);
  SpacesByName spaces;
  {
    base::MutexLock lock(mutex_);
    Other& other = others_.at(name);
    if (!collection.ok()) return other.damage = collection.status();
    other.collection = *std::move(collection);
    // From now on it is filled, and has no time to be dropped at.
    other.info = Describe(other.collection->config());
    spaces = DescribeSpaces();
  }
  return WriteSpaces(spaces);
}

absl::StatusOr<std::unique_ptr<SpaceTransfer>> LocalDatabase::OpenTransfer(const CollectionConfig& to) {
  SIGHTLINE_RETURN_IF_ERROR(ValidateConfig(to, options_.limits));
  base::MutexLock space_lock(space_mutex_);
  SIGHTLINE_ASSIGN_OR_RETURN(const Entry live, FindEntry(to.name));
  enum { kNone, kOpen, kClosed } state = kNone;
  {
    base::MutexLock lock(mutex_);
    if (const auto it = others_.find(to.name); it != others_.end()) {
      const Other& other = it->second;
      if (other.busy) return SpaceInUse(to.name);
      SIGHTLINE_RETURN_IF_ERROR(other.damage);
      if (other.info.embedding_space != to.embedding_space) {
        return base::FailedPrecondition(
            "OTHER_SPACE_KEPT",
            absl::StrCat("collection ", to.name, " has another space already, of the model ", other.info.model,
                         other.info.previous ? ": the one before, kept for a way back" : ": one that is not filled yet",
                         ". Drop it first, or embed with that model."),
            {{"collection", to.name}, {"actual", other.info.embedding_space}, {"limit", to.embedding_space}});
      }
      state = other.info.previous || other.collection == nullptr ? kClosed : kOpen;
    }
  }
  if (state == kNone) SIGHTLINE_RETURN_IF_ERROR(MakeOther(to));
  if (state == kClosed) SIGHTLINE_RETURN_IF_ERROR(ReopenOther(to.name));
  std::shared_ptr<LocalCollection> filled;
  {
    base::MutexLock lock(mutex_);
    Other& other = others_.at(to.name);
    other.busy = true;
    filled = other.collection;
  }
  return std::make_unique<LocalTransfer>(*this, to.name, live.collection, std::move(filled));
}

std::optional<OtherSpace> LocalDatabase::FindOtherSpace(const std::string& collection) const {
  OtherSpace info;
  std::shared_ptr<LocalCollection> open;
  {
    base::MutexLock lock(mutex_);
    const auto it = others_.find(collection);
    if (it == others_.end()) return std::nullopt;
    info = it->second.info;
    open = it->second.collection;
  }
  if (open != nullptr) info.images = open->Stats().images;
  return info;
}

absl::StatusOr<std::shared_ptr<Collection>> LocalDatabase::FindFillingSpace(const std::string& collection) const {
  base::MutexLock lock(mutex_);
  const auto it = others_.find(collection);
  if (it == others_.end() || it->second.info.previous) return NoOtherSpace(collection);
  SIGHTLINE_RETURN_IF_ERROR(it->second.damage);
  if (it->second.collection == nullptr) return NoOtherSpace(collection);
  return std::shared_ptr<Collection>(it->second.collection);
}

// ---- Swapping and dropping

absl::Status LocalDatabase::SwapSpaces(const std::string& name, absl::Time drop_time) {
  base::MutexLock space_lock(space_mutex_);
  SpacesByName before;
  SpacesByName after;
  OtherSpace kept;
  {
    base::MutexLock lock(mutex_);
    const Entry& live = entries_.at(name);
    const Other& other = others_.at(name);
    kept = Describe(live.collection->config());
    kept.images = live.collection->Stats().images;
    kept.previous = true;
    kept.drop_time = drop_time;
    before = after = DescribeSpaces();
    after[name] = {.live_folder = other.folder,
                   .other_folder = live.folder,
                   .previous = true,
                   .drop_time = drop_time,
                   .model = kept.model,
                   .embedding_space = kept.embedding_space,
                   .descriptor_dim = kept.descriptor_dim,
                   .images = kept.images};
  }
  SIGHTLINE_KILL_POINT("space.before_swap");
  if (const absl::Status written = WriteSpaces(after); !written.ok()) {
    // It may have reached its place and not have been made durable.
    if (const absl::Status undone = WriteSpaces(before); !undone.ok()) {
      base::Log(base::Severity::kError,
                "spaces not swapped, and not written back; do not restart before the disk is well",
                {{"collection", name}, {"error", std::string(undone.message())}});
    }
    return written;
  }
  SIGHTLINE_KILL_POINT("space.after_swap");
  base::MutexLock lock(mutex_);
  Entry& live = entries_.at(name);
  Other& other = others_.at(name);
  std::swap(live.folder, other.folder);
  std::swap(live.collection, other.collection);
  other.info = kept;
  base::Log(base::Severity::kInfo, "collection moved to another space",
            {{"collection", name},
             {"model", live.collection->config().model},
             {"embedding_space", live.collection->config().embedding_space},
             {"before", kept.embedding_space}});
  return absl::OkStatus();
}

absl::Status LocalDatabase::DropOther(const std::string& name) {
  Other other;
  {
    base::MutexLock lock(mutex_);
    const auto it = others_.find(name);
    if (it == others_.end()) return NoOtherSpace(name);
    if (it->second.busy) return SpaceInUse(name);
    other = std::move(it->second);
    others_.erase(it);
  }
  if (other.collection != nullptr) other.collection->Close();
  other.collection.reset();
  SIGHTLINE_KILL_POINT("space.before_drop");
  absl::Status moved = Move(PathOf(kCollections, other.folder), PathOf(kTrash, other.folder));
  if (moved.ok()) moved = base::SyncFolder(PathOf(kCollections));
  SpacesByName spaces;
  {
    base::MutexLock lock(mutex_);
    if (!moved.ok()) {
      // Closed and still there, to be dropped again.
      other.damage = moved;
      others_[name] = std::move(other);
      return moved;
    }
    spaces = DescribeSpaces();
  }
  SIGHTLINE_KILL_POINT("space.after_drop");
  // What is left is tidying up: a name without a folder means nothing, and the next start empties the trash.
  const absl::Status written = WriteSpaces(spaces);
  if (!written.ok()) base::Log(base::Severity::kWarning, written.message(), {{"collection", name}});
  RemoveTreeOrLog(PathOf(kTrash, other.folder));
  base::Log(base::Severity::kInfo, "other space dropped",
            {{"collection", name}, {"embedding_space", other.info.embedding_space}});
  return absl::OkStatus();
}

absl::Status LocalDatabase::DropOtherSpace(const std::string& collection) {
  base::MutexLock space_lock(space_mutex_);
  SIGHTLINE_RETURN_IF_ERROR(FindEntry(collection).status());
  return DropOther(collection);
}

void LocalDatabase::TidySpaces() {
  base::MutexLock space_lock(space_mutex_);
  std::vector<std::string> expired;
  std::vector<std::shared_ptr<LocalCollection>> unused;
  {
    base::MutexLock lock(mutex_);
    for (auto& [name, other] : others_) {
      if (!other.info.previous || other.busy) continue;
      if (other.info.drop_time <= options_.clock->Now()) {
        expired.push_back(name);
      } else if (other.collection != nullptr && other.collection.use_count() == 1) {
        // Nobody can find it any more, and nobody holds it.
        unused.push_back(std::move(other.collection));
      }
    }
  }
  for (const auto& collection : unused) {
    collection->Flush();
    collection->Close();
  }
  for (const std::string& name : expired) {
    const absl::Status dropped = DropOther(name);
    if (!dropped.ok()) base::Log(base::Severity::kWarning, dropped.message(), {{"collection", name}});
  }
}

}  // namespace sightline::index
