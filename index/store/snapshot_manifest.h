// The manifest of a snapshot: what it was taken of, and every file with its size and SHA-256 (FORMAT.md, "Snapshots").
//
// A manifest may come from anywhere. What DecodeSnapshotManifest returns is safe to act upon: every path stays inside
// the snapshot's folder and names a file of a kind that a snapshot holds, no path comes twice, and the sizes add up
// without overflow.
//
// Threading: pure functions. Failure: DATA_LOSS for bytes that are not a manifest, FAILED_PRECONDITION for one of a
// format that this version does not know.
#ifndef SIGHTLINE_INDEX_STORE_SNAPSHOT_MANIFEST_H_
#define SIGHTLINE_INDEX_STORE_SNAPSHOT_MANIFEST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sightline::index {

inline constexpr absl::string_view kSnapshotManifestFile = "SNAPSHOT";
inline constexpr absl::string_view kSegmentFolder = "segments";
inline constexpr uint8_t kSnapshotFormat = 1;
inline constexpr int64_t kMaxSnapshotManifestBytes = 16 << 20;
// 100 million images with tokens are about 20,000 files.
inline constexpr size_t kMaxSnapshotFiles = 100'000;

struct SnapshotFile {
  std::string path;  // relative to the snapshot's folder
  int64_t size = 0;
  std::string sha256;  // lower-case hex
};

struct SnapshotManifest {
  std::string collection;
  int64_t sequence = 0;
  int64_t images = 0;
  absl::Time create_time;
  std::vector<SnapshotFile> files;  // by path, as bytes compare

  int64_t file_bytes() const;  // all files together
  bool has_segments() const;   // whether there is a folder for them
};

std::string EncodeSnapshotManifest(const SnapshotManifest& manifest);
absl::StatusOr<SnapshotManifest> DecodeSnapshotManifest(absl::string_view bytes);

// Whether a snapshot may hold a file under `path`: RocksDB's tables, blobs, logs, MANIFEST and CURRENT, and segment
// files.
bool IsSnapshotPath(absl::string_view path);

// Whether nothing ever writes to the file under `path` again, so that folders may share it by hard links.
bool IsImmutableSnapshotPath(absl::string_view path);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_SNAPSHOT_MANIFEST_H_
