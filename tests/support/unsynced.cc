#include "tests/support/unsynced.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "absl/strings/str_cat.h"

namespace sightline::testing {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kBlock = 512;  // a disk writes these whole or not at all

std::string FolderOf(const std::string& path) { return fs::path(path).parent_path().string(); }
std::string NameOf(const std::string& path) { return fs::path(path).filename().string(); }

void Zero(const std::string& path, uint64_t from, uint64_t to) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) throw std::runtime_error(absl::StrCat("cannot open ", path));
  const std::string zeros(to - from, '\0');
  const ssize_t wrote = ::pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(from));
  ::close(fd);
  if (wrote != static_cast<ssize_t>(zeros.size())) throw std::runtime_error(absl::StrCat("cannot write ", path));
}

}  // namespace

Unsynced::Unsynced(std::string root, std::string attic) : root_(std::move(root)), attic_(std::move(attic)) {}

Unsynced::Inode Unsynced::InodeOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) throw std::runtime_error(absl::StrCat("cannot stat ", path));
  return {info.st_dev, info.st_ino};
}

void Unsynced::Created(const std::string& path) {
  base::MutexLock lock(mutex_);
  files_[InodeOf(path)] = {};
  folders_[InodeOf(FolderOf(path))].push_back({Change::Kind::kCreate, NameOf(path), "", ""});
}

void Unsynced::Wrote(Inode file, uint64_t end) {
  base::MutexLock lock(mutex_);
  files_[file].written = end;
}

void Unsynced::Synced(Inode file, uint64_t end) {
  base::MutexLock lock(mutex_);
  files_[file].synced = std::max(files_[file].synced, end);
}

void Unsynced::SyncFailed(Inode file, uint64_t end) {
  base::MutexLock lock(mutex_);
  File& state = files_[file];
  if (end > state.synced) state.dropped.emplace_back(state.synced, end);
}

std::string Unsynced::Keep(const std::string& path) {
  const std::string kept = absl::StrCat(attic_, "/", next_kept_++);
  return ::link(path.c_str(), kept.c_str()) == 0 ? kept : "";
}

void Unsynced::Removing(const std::string& path) {
  base::MutexLock lock(mutex_);
  if (!fs::exists(path)) return;
  folders_[InodeOf(FolderOf(path))].push_back({Change::Kind::kRemove, NameOf(path), "", Keep(path)});
}

void Unsynced::Renaming(const std::string& from, const std::string& to) {
  base::MutexLock lock(mutex_);
  if (FolderOf(from) != FolderOf(to)) return;
  folders_[InodeOf(FolderOf(to))].push_back(
      {Change::Kind::kRename, NameOf(from), NameOf(to), fs::exists(to) ? Keep(to) : ""});
}

void Unsynced::FolderCreated(const std::string& path) {
  base::MutexLock lock(mutex_);
  folders_[InodeOf(path)].clear();
  folders_[InodeOf(FolderOf(path))].push_back({Change::Kind::kCreate, NameOf(path), "", ""});
}

void Unsynced::Linked(const std::string& path) {
  base::MutexLock lock(mutex_);
  folders_[InodeOf(FolderOf(path))].push_back({Change::Kind::kCreate, NameOf(path), "", ""});
}

void Unsynced::FolderSynced(const std::string& path) {
  base::MutexLock lock(mutex_);
  std::vector<Change>& changes = folders_[InodeOf(path)];
  for (const Change& change : changes) {
    if (change.kept.empty()) continue;
    // The last name goes: its inode may soon be that of another file.
    if (fs::hard_link_count(change.kept) == 1) files_.erase(InodeOf(change.kept));
    ::unlink(change.kept.c_str());
  }
  changes.clear();
}

void Unsynced::Undo(const std::string& folder, const Change& change) {
  const std::string path = absl::StrCat(folder, "/", change.name);
  switch (change.kind) {
    case Change::Kind::kCreate: fs::remove_all(path); break;
    case Change::Kind::kRemove:
      if (!change.kept.empty()) fs::rename(change.kept, path);
      break;
    case Change::Kind::kRename:
      const std::string renamed = absl::StrCat(folder, "/", change.new_name);
      if (fs::exists(renamed)) fs::rename(renamed, path);
      if (!change.kept.empty()) fs::rename(change.kept, renamed);
      break;
  }
}

void Unsynced::Damage(const std::string& path, const File& file, PowerLoss::Tail tail, std::mt19937& random) {
  // Smaller than what was written: another file that got the inode of one removed behind our back.
  if (fs::file_size(path) < file.written) return;
  uint64_t end = file.written;
  if (end > file.synced) {
    switch (tail) {
      case PowerLoss::Tail::kDropped: end = file.synced; break;
      case PowerLoss::Tail::kCut:
        end = std::uniform_int_distribution<uint64_t>(file.synced, file.written)(random);
        break;
      case PowerLoss::Tail::kZeros: Zero(path, file.synced, file.written); break;
      case PowerLoss::Tail::kHoles:
        for (uint64_t at = file.synced; at < file.written;) {
          const uint64_t next = std::min((at / kBlock + 1) * kBlock, file.written);
          if (random() % 2 == 0) Zero(path, at, next);
          at = next;
        }
        break;
      case PowerLoss::Tail::kKept: break;
    }
  }
  fs::resize_file(path, end);
  for (const auto& [from, to] : file.dropped) {
    if (from < std::min(to, end)) Zero(path, from, std::min(to, end));
  }
}

void Unsynced::Lose(const PowerLoss& loss) {
  base::MutexLock lock(mutex_);
  std::mt19937 random(loss.seed);
  std::vector<std::string> folders = {root_};
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (entry.is_directory()) folders.push_back(entry.path().string());
  }
  std::sort(folders.begin(), folders.end());
  for (const std::string& folder : folders) {
    if (loss.names == PowerLoss::Names::kKept || !fs::exists(folder)) continue;
    std::vector<Change>& changes = folders_[InodeOf(folder)];
    size_t left = 0;
    if (loss.names == PowerLoss::Names::kSomeKept) left = random() % (changes.size() + 1);
    for (; changes.size() > left; changes.pop_back()) Undo(folder, changes.back());
  }
  std::vector<std::string> paths;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (entry.is_regular_file()) paths.push_back(entry.path().string());
  }
  // In this order, so that a seed repeats what it did.
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    if (const auto it = files_.find(InodeOf(path)); it != files_.end()) Damage(path, it->second, loss.tail, random);
  }
  files_.clear();
  folders_.clear();
  for (const auto& entry : fs::directory_iterator(attic_)) fs::remove(entry.path());
}

}  // namespace sightline::testing
