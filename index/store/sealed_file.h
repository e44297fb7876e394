// A file of one piece: a magic text, a version, and bytes that one checksum covers whole. Graphs, inverted lists and
// centroids are kept in such files (FORMAT.md).
//
// Threading: any. Ownership: none. Failure: reading gives DATA_LOSS that names the file before any of its bytes is
// believed; what the disk refuses as in files.h.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(SealedFileInfo info, WriteSealedFile(files, path, "SLLINKS\n", save));
//   SIGHTLINE_ASSIGN_OR_RETURN(std::string body, ReadSealedFile(files, path, "SLLINKS\n", info, max_bytes));
#ifndef SIGHTLINE_INDEX_STORE_SEALED_FILE_H_
#define SIGHTLINE_INDEX_STORE_SEALED_FILE_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "index/store/files.h"

namespace sightline::index {

struct SealedFileInfo {
  uint64_t bytes = 0;
  uint32_t checksum = 0;
};

using ByteSink = absl::FunctionRef<absl::Status(absl::string_view)>;

// `magic` has 8 bytes. Durable on OK.
absl::StatusOr<SealedFileInfo> WriteSealedFile(const Files& files, const std::string& path, absl::string_view magic,
                                               absl::FunctionRef<absl::Status(ByteSink)> save);

// What `save` wrote. A file of more than `max_bytes` is refused before memory is taken for it.
absl::StatusOr<std::string> ReadSealedFile(const Files& files, const std::string& path, absl::string_view magic,
                                           const SealedFileInfo& info, uint64_t max_bytes);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_SEALED_FILE_H_
