// LocalDatabase: aliases, names that stand for collections (FORMAT.md, "Aliases").
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/status.h"
#include "index/local_database.h"
#include "index/store/aliases_file.h"
#include "index/store/file_work.h"

namespace sightline::index {
namespace {

constexpr absl::string_view kAliasesFile = "aliases";
constexpr int64_t kMaxAliasesBytes = 64 << 20;
// Far more than anybody keeps in mind; bounds the file that every change writes.
constexpr size_t kMaxAliases = 10'000;

absl::Status CheckAliasForm(const std::string& alias) {
  if (ValidateCollectionName(alias).ok()) return absl::OkStatus();
  return base::InvalidArgument("ALIAS_INVALID",
                               absl::StrCat("the alias has ", alias.size(),
                                            " characters, or some that are not allowed. Use 1 to 64 of a-z, 0-9, - "
                                            "and _, and start with a letter or digit."),
                               {{"field", "alias"}, {"actual", absl::StrCat(alias.size())}, {"limit", "64"}});
}

}  // namespace

// ---- The file

absl::StatusOr<AliasMap> LocalDatabase::ReadAliases() {
  const std::string path = PathOf(kAliasesFile);
  const absl::StatusOr<std::string> bytes = base::ReadFile(path, kMaxAliasesBytes);
  if (absl::IsNotFound(bytes.status())) return AliasMap();
  SIGHTLINE_RETURN_IF_ERROR(bytes.status());
  absl::StatusOr<AliasMap> aliases = DecodeAliases(*bytes);
  if (!absl::IsDataLoss(aliases.status())) return aliases;
  const std::string aside = absl::StrCat(path, ".damaged-", absl::ToUnixSeconds(options_.clock->Now()));
  SIGHTLINE_RETURN_IF_ERROR(Move(path, aside));
  base::Log(base::Severity::kError, "aliases set aside",
            {{"path", aside}, {"error", std::string(aliases.status().message())}});
  base::MutexLock lock(mutex_);
  aliases_set_aside_ = aside;
  return AliasMap();
}

absl::Status LocalDatabase::WriteAliases(const AliasMap& aliases) const {
  return base::WriteFileDurably(PathOf(kAliasesFile), EncodeAliases(aliases));
}

void LocalDatabase::TakeAliases(AliasMap stored) {
  for (auto& [alias, collection] : stored) {
    // Its collection was deleted just before a crash, or is gone by hand; or a folder was put in its place.
    if (!entries_.contains(collection) || entries_.contains(alias)) {
      base::Log(base::Severity::kWarning, "alias dropped",
                {{"alias", alias},
                 {"collection", collection},
                 {"reason", entries_.contains(alias) ? "a collection has its name" : "its collection is not there"}});
      aliases_stale_ = true;
      continue;
    }
    aliases_[alias] = std::move(collection);
  }
}

absl::Status LocalDatabase::FlushAliases() {
  base::MutexLock alias_lock(alias_mutex_);
  AliasMap aliases;
  {
    base::MutexLock lock(mutex_);
    if (!aliases_stale_) return absl::OkStatus();
    aliases_stale_ = false;
    aliases = aliases_;
  }
  const absl::Status written = WriteAliases(aliases);
  if (!written.ok()) {
    base::MutexLock lock(mutex_);
    aliases_stale_ = true;
  }
  return written;
}

absl::Status LocalDatabase::ReplaceAliases(const AliasMap& before, const AliasMap& after) {
  SIGHTLINE_KILL_POINT("alias.before_write");
  const absl::Status written = WriteAliases(after);
  if (written.ok()) {
    SIGHTLINE_KILL_POINT("alias.after_write");
    return written;
  }
  // It may have reached its place and not have been made durable.
  if (const absl::Status undone = WriteAliases(before); !undone.ok()) {
    base::Log(base::Severity::kError, "aliases not changed, and not written back",
              {{"error", std::string(undone.message())}});
    base::MutexLock lock(mutex_);
    aliases_stale_ = true;
  }
  return written;
}

// ---- Asking and changing

const std::string& LocalDatabase::Resolve(const std::string& name) const {
  const auto it = aliases_.find(name);
  return it == aliases_.end() ? name : it->second;
}

std::vector<std::string> LocalDatabase::AliasesOf(const std::string& collection) const {
  base::MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [alias, target] : aliases_) {
    if (target == collection) names.push_back(alias);
  }
  return names;
}

std::string LocalDatabase::aliases_set_aside() const {
  base::MutexLock lock(mutex_);
  return aliases_set_aside_;
}

absl::Status LocalDatabase::CheckAlias(const std::string& alias, const std::string& collection) const {
  if (const auto target = aliases_.find(collection); target != aliases_.end()) {
    return base::InvalidArgument(
        "ALIAS_NOT_A_COLLECTION",
        absl::StrCat(collection, " is itself an alias, of the collection ", target->second, ". Name the collection."),
        {{"field", "collection"}, {"actual", collection}});
  }
  if (aliases_.contains(alias)) return absl::OkStatus();
  if (entries_.contains(alias) || reserved_.contains(alias)) {
    return base::Error(absl::StatusCode::kAlreadyExists, "COLLECTION_EXISTS",
                       absl::StrCat("there is a collection named ", alias, ". Choose another name for the alias."),
                       {{"field", "alias"}, {"actual", alias}});
  }
  if (aliases_.size() < kMaxAliases) return absl::OkStatus();
  return base::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_ALIASES",
                     absl::StrCat("there are ", aliases_.size(), " aliases; the limit is ", kMaxAliases,
                                  ". Delete some that nobody uses."),
                     {{"actual", absl::StrCat(aliases_.size())}, {"limit", absl::StrCat(kMaxAliases)}});
}

absl::StatusOr<std::shared_ptr<Collection>> LocalDatabase::SetAlias(const std::string& alias,
                                                                    const std::string& collection) {
  SIGHTLINE_RETURN_IF_ERROR(CheckAliasForm(alias));
  base::MutexLock alias_lock(alias_mutex_);
  AliasMap before;
  {
    base::MutexLock lock(mutex_);
    SIGHTLINE_RETURN_IF_ERROR(CheckAlias(alias, collection));
    SIGHTLINE_ASSIGN_OR_RETURN(Entry entry, ServedEntry(collection));
    const auto set = aliases_.find(alias);
    if (set != aliases_.end() && set->second == collection) return std::shared_ptr<Collection>(entry.collection);
    // Until it stands, nobody else may take the name.
    if (set == aliases_.end()) reserved_.insert(alias);
    before = aliases_;
  }
  AliasMap after = before;
  after[alias] = collection;
  absl::Status status = ReplaceAliases(before, after);
  base::MutexLock lock(mutex_);
  if (!before.contains(alias)) reserved_.erase(alias);
  SIGHTLINE_RETURN_IF_ERROR(status);
  // The collection may have been deleted meanwhile, and with it what stands for it.
  absl::StatusOr<Entry> entry = ServedEntry(collection);
  if (!entry.ok()) {
    aliases_stale_ = true;
    return entry.status();
  }
  aliases_[alias] = collection;
  return std::shared_ptr<Collection>(std::move(entry->collection));
}

absl::Status LocalDatabase::DeleteAlias(const std::string& alias) {
  base::MutexLock alias_lock(alias_mutex_);
  AliasMap before;
  {
    base::MutexLock lock(mutex_);
    if (!aliases_.contains(alias)) {
      const std::string shown = ValidateCollectionName(alias).ok() ? absl::StrCat(" named ", alias) : " of that name";
      return base::NotFound(
          "ALIAS_NOT_FOUND",
          absl::StrCat("there is no alias", shown, ". List the collections: each shows the aliases that stand for it."),
          {{"field", "alias"}, {"actual", alias.substr(0, 64)}});
    }
    before = aliases_;
  }
  AliasMap after = before;
  after.erase(alias);
  SIGHTLINE_RETURN_IF_ERROR(ReplaceAliases(before, after));
  base::MutexLock lock(mutex_);
  aliases_.erase(alias);
  return absl::OkStatus();
}

}  // namespace sightline::index
