// The zip archive that torch.save writes: entries stored without compression, zip64 where sizes need it.
//
// Reading is strict: only stored entries, every one within the file, none over another, each with the checksum the
// directory gives. Nothing is unpacked and nothing is allocated beyond one small record per entry that is there.
//
// Threading: pure functions. Ownership: entries view the bytes they were read from. Failure: INVALID_ARGUMENT with
// reason MALFORMED_WEIGHTS.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<ZipEntry> entries, ReadZip(bytes, {}));
#ifndef SIGHTLINE_MODEL_WEIGHTS_ZIP_ARCHIVE_H_
#define SIGHTLINE_MODEL_WEIGHTS_ZIP_ARCHIVE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::weights {

struct ZipEntry {
  absl::string_view name;
  absl::string_view bytes;
};

struct ZipLimits {
  // One entry per stored tensor; training checkpoints hold three times a model's.
  uint64_t max_entries = 100'000;
};

// Entries in the order of the directory.
absl::StatusOr<std::vector<ZipEntry>> ReadZip(absl::string_view file, const ZipLimits& limits);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_ZIP_ARCHIVE_H_
