// The manifest's entry about segments: which files there are, and what they must look like.
//
// It is one value, replaced as a whole with one synced write: files come into being before they are named here and are
// removed after they no longer are, so that a crash leaves at worst files that nothing names.
//
// Threading: pure functions and values. Failure: Status that names the value (see codec.h).
#ifndef SIGHTLINE_INDEX_STORE_SEGMENT_MANIFEST_H_
#define SIGHTLINE_INDEX_STORE_SEGMENT_MANIFEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::index {

// A sealed chunk of rows (ann/chunk_file.h).
struct ChunkFileInfo {
  uint64_t number = 0;  // its name
  uint32_t rows = 0;
  uint64_t first_key = 0;
  uint64_t last_key = 0;
  uint64_t bytes = 0;
  uint32_t checksum = 0;  // of the header, which holds the checksums of the rest
};

// A graph or inverted lists over the first `rows` rows of a segment, or a collection's `rows` centroids
// (sealed_file.h).
struct LinksFileInfo {
  uint64_t number = 0;
  uint32_t rows = 0;
  uint64_t bytes = 0;
  uint32_t checksum = 0;  // of the whole file
};

struct SegmentEntry {
  std::vector<ChunkFileInfo> chunks;  // by key
  std::optional<LinksFileInfo> links;
  bool augmented = false;  // its descriptors are not those written (database-side augmentation)
};

struct SegmentManifest {
  uint64_t next_file = 1;                  // numbers are never used twice
  std::optional<LinksFileInfo> centroids;  // of inverted lists
  std::vector<SegmentEntry> segments;
};

std::string EncodeSegmentManifest(absl::string_view key, const SegmentManifest& manifest);
// Refuses key ranges that overlap or do not ascend, and numbers used twice.
absl::StatusOr<SegmentManifest> DecodeSegmentManifest(absl::string_view key, absl::string_view value);

// What is put behind the name of a file that is not what was written.
inline constexpr absl::string_view kDamagedSuffix = ".damaged";

// "000042.rows", "000042.links", "000042.centroids"
std::string ChunkFileName(uint64_t number);
std::string LinksFileName(uint64_t number);
std::string CentroidsFileName(uint64_t number);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_SEGMENT_MANIFEST_H_
