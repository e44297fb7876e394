// Snapshots: the snapshots of one data directory, each a numbered folder (FORMAT.md, "Snapshots").
//
// A snapshot is made in a staging folder and appears by one rename: whole or not at all. Its files share their bytes
// with the collection's where nothing ever changes them, so that taking one costs reading, not space. Nothing of a
// snapshot is used before its checksums have been verified.
//
// Threading: all methods may be called from any thread; deleting a snapshot ends what reads it with NOT_FOUND.
// Ownership: borrows the resources; readers and writers made here must not outlive it. Failure: Status that names the
// snapshot and the file.
#ifndef SIGHTLINE_INDEX_SNAPSHOTS_H_
#define SIGHTLINE_INDEX_SNAPSHOTS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "index/database.h"
#include "index/store/rocks.h"
#include "index/store/snapshot_manifest.h"

namespace sightline::index {

class Snapshots {
 public:
  // On one file system, so that a rename moves what is whole.
  struct Folders {
    std::string snapshots;
    std::string staging;
    std::string trash;
  };

  Snapshots(Folders folders, const RocksResources& resources, const base::Clock& clock)
      : folders_(std::move(folders)), resources_(resources), clock_(clock) {}

  struct Source {
    absl::FunctionRef<absl::Status(const std::string& folder)> checkpoint;  // makes the folder
    std::string segment_folder;                                             // may be missing
  };
  absl::StatusOr<SnapshotInfo> Create(const Source& source, const Progress& progress);

  // Newest first. Empty `collection`: of all. A damaged snapshot is left out and logged.
  absl::StatusOr<std::vector<SnapshotInfo>> List(const std::string& collection) const;

  // Every snapshot there is, and whether each of its files is what was written.
  std::vector<std::pair<std::string, absl::Status>> Examine() const;

  absl::Status Delete(const std::string& name);

  // Verifies every file, then makes `folder` with them: what is immutable by hard links, the rest by copies.
  absl::Status CopyTo(const std::string& name, const std::string& folder, const Progress& progress) const;

  absl::StatusOr<std::unique_ptr<SnapshotReader>> Read(const std::string& name) const;
  absl::StatusOr<std::unique_ptr<SnapshotWriter>> Write(const std::string& sha256);

 private:
  struct Loaded {
    std::string folder;
    std::string manifest_bytes;
    SnapshotManifest manifest;
  };

  absl::StatusOr<Loaded> Load(const std::string& name) const;
  absl::Status Verify(const std::string& name, const Loaded& snapshot, const Progress& progress) const;
  // Gives the snapshot in `folder`, which has everything but its manifest, a number and its place.
  absl::StatusOr<SnapshotInfo> Publish(const std::string& folder, const std::string& manifest_bytes);
  absl::StatusOr<uint64_t> TakeNumber() ABSL_EXCLUSIVE_LOCKS_REQUIRED(publish_mutex_);
  std::string NewStagingFolder() const;

  const Folders folders_;
  const RocksResources& resources_;
  const base::Clock& clock_;
  base::Mutex publish_mutex_;  // numbers are taken one after the other
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_SNAPSHOTS_H_
