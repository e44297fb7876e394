// A snapshot as one stream of bytes, for another machine (FORMAT.md, "Snapshots"): a header, the manifest, and the
// content of every file in the manifest's order. The same snapshot always gives the same bytes.
//
// The writer trusts nothing it is given: the manifest must have the SHA-256 that was asked for before a file is made
// from it, the disk must have room for what it declares, every file is verified as it ends, and not one byte may
// follow.
//
// Threading: one thread at a time. Ownership: both hold what they need; they must not outlive the Database.
// Failure: Status. After a failure a writer has removed its files and repeats the failure.
#ifndef SIGHTLINE_INDEX_STORE_SNAPSHOT_STREAM_H_
#define SIGHTLINE_INDEX_STORE_SNAPSHOT_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/sha256.h"
#include "index/database.h"
#include "index/store/file_work.h"
#include "index/store/snapshot_manifest.h"

namespace sightline::index {

class SnapshotStreamReader : public SnapshotReader {
 public:
  // `folder` holds the files, `name` is what errors call the snapshot, `manifest_bytes` are those of `manifest`.
  SnapshotStreamReader(std::string folder, std::string name, absl::string_view manifest_bytes,
                       SnapshotManifest manifest);

  int64_t size() const override { return size_; }
  absl::StatusOr<std::string> Read(int64_t offset, int64_t most) override;

 private:
  // Into `out`, from `offset` of file `index`: exactly `size` bytes.
  absl::Status ReadFile(size_t index, int64_t offset, char* out, size_t size);

  const std::string folder_;
  const std::string name_;
  const std::string head_;  // header and manifest
  const SnapshotManifest manifest_;
  std::vector<int64_t> begins_;  // of the files, in the stream
  int64_t size_ = 0;
  size_t open_index_ = 0;
  std::unique_ptr<InputFile> open_file_;
};

class SnapshotStreamWriter : public SnapshotWriter {
 public:
  // Called by Finish with the folder of a whole, durable snapshot, to be moved away, and its manifest.
  using Publish =
      std::function<absl::StatusOr<SnapshotInfo>(const std::string& folder, const std::string& manifest_bytes)>;

  // Works in the new folder `work`. `sha256` is that of the manifest.
  SnapshotStreamWriter(std::string work, std::string sha256, Publish publish);

  absl::Status Append(absl::string_view data) override;
  absl::StatusOr<SnapshotInfo> Finish() override;

 private:
  absl::Status Take(absl::string_view data);
  // Moves from `data` to head_ until header and manifest are there.
  absl::Status TakeHead(absl::string_view* data);
  absl::Status Begin();
  absl::Status TakeFile(absl::string_view* data);
  // Ends every file that has all its bytes, and makes the next one.
  absl::Status Advance();
  absl::StatusOr<SnapshotInfo> Complete();
  std::string content() const;

  WorkFolder work_;
  const std::string sha256_;
  const Publish publish_;
  absl::Status ended_;  // not OK after a failure, and after Finish
  std::string head_;
  bool begun_ = false;  // the manifest is there and was right
  SnapshotManifest manifest_;
  size_t file_ = 0;  // being written
  int64_t have_ = 0;
  std::unique_ptr<OutputFile> output_;
  std::unique_ptr<base::Sha256> hash_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_SNAPSHOT_STREAM_H_
