// A snapshot as a file, as DownloadSnapshot gave it: whether it is whole, and what it is called by its sender.
//
// The file may come from anywhere: what is read is checked against the bytes there are before anything is allocated.
//
// Threading: pure functions of the file system. Failure: DATA_LOSS for a file that is not a whole snapshot,
// FAILED_PRECONDITION for one of a format that this version does not know.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(SnapshotHead head, ReadSnapshotHead("shop.snapshot"));
//   SIGHTLINE_RETURN_IF_ERROR(VerifySnapshotFile("shop.snapshot", head, nullptr));
//   client->UploadSnapshot(head.sha256, ...);
#ifndef SIGHTLINE_CLIENT_CPP_SNAPSHOT_FILE_H_
#define SIGHTLINE_CLIENT_CPP_SNAPSHOT_FILE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sightline::client {

struct SnapshotHead {
  std::string sha256;  // of the manifest: what v1.Snapshot.sha256 is
  std::string collection;
  int64_t images = 0;
  int64_t begin = 0;  // of the first part's bytes
  int64_t size = 0;   // of the whole file
  struct Part {
    std::string name;
    int64_t size = 0;
    std::string sha256;
  };
  std::vector<Part> parts;
};

// Needs only the first bytes: the file may be incomplete behind them.
absl::StatusOr<SnapshotHead> ReadSnapshotHead(const std::string& path);

// Reads all of it. `on_progress` (may be empty) is told the bytes read so far.
absl::Status VerifySnapshotFile(const std::string& path, const SnapshotHead& head,
                                const std::function<void(int64_t bytes)>& on_progress);

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_SNAPSHOT_FILE_H_
