// Unsynced: keeps account of what a power loss may take from the files under one folder: bytes written after a file's
// last sync, and names changed after their folder's last sync.
//
// Files and folders are known by their inode, so that a whole folder may be renamed behind its back. What it was never
// told of, and a rename from one folder to another, is taken to be durable.
//
// Threading: any thread. Failure: std::runtime_error where the file system itself fails; a test then stops.
#ifndef SIGHTLINE_TESTS_SUPPORT_UNSYNCED_H_
#define SIGHTLINE_TESTS_SUPPORT_UNSYNCED_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace sightline::testing {

// What one power loss does to what was not synced. Each is something a disk and a file system may do.
struct PowerLoss {
  enum class Tail {
    kDropped,  // files end where they were last synced
    kCut,      // at a random place after that
    kZeros,    // they keep their length, and all that was not synced reads as zeros
    kHoles,    // the same, but some blocks of 512 bytes did reach the disk, in any order
    kKept,     // everything written is there
  };
  enum class Names {
    kUndone,    // no change of a folder since its last sync is there
    kSomeKept,  // the first few are
    kKept,
  };
  Tail tail = Tail::kDropped;
  Names names = Names::kUndone;
  unsigned seed = 0;
};

class Unsynced {
 public:
  using Inode = std::pair<uint64_t, uint64_t>;  // device and number

  // Removed and replaced files are kept in `attic`, an existing folder of the same file system outside of `root`, until
  // their removal is durable.
  Unsynced(std::string root, std::string attic);

  // ---- Files. `path` is as it is now; the inode is stable.
  static Inode InodeOf(const std::string& path);
  void Created(const std::string& path);  // new, or emptied
  void Wrote(Inode file, uint64_t end);   // it now ends there
  void Synced(Inode file, uint64_t end);
  // The system has dropped what was to be synced: a later sync that succeeds says nothing about it.
  void SyncFailed(Inode file, uint64_t end);

  // ---- Names. Call the first two before the change itself.
  void Removing(const std::string& path);
  void Renaming(const std::string& from, const std::string& to);
  void FolderCreated(const std::string& path);
  void Linked(const std::string& path);
  void FolderSynced(const std::string& path);

  // Makes of the files what `loss` says; all that is left counts as synced.
  void Lose(const PowerLoss& loss);

 private:
  struct File {
    uint64_t synced = 0;
    uint64_t written = 0;
    std::vector<std::pair<uint64_t, uint64_t>> dropped;  // ranges of failed syncs
  };
  // One change of a folder. `kept` is the file in the attic that the name led to before, empty for none.
  struct Change {
    enum class Kind { kCreate, kRemove, kRename } kind;
    std::string name, new_name, kept;
  };

  std::string Keep(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Undo(const std::string& folder, const Change& change);
  void Damage(const std::string& path, const File& file, PowerLoss::Tail tail, std::mt19937& random);

  const std::string root_;
  const std::string attic_;
  base::Mutex mutex_;
  uint64_t next_kept_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Inode, File> files_ ABSL_GUARDED_BY(mutex_);
  std::map<Inode, std::vector<Change>> folders_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_UNSYNCED_H_
