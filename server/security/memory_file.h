// MemoryFile: a file that only this process sees, for libraries that take paths. Its content is replaced in one step: a
// reader that opens it gets the old or the new one, whole. What it holds reaches no disk.
//
// Threading: Replace from one thread at a time; path() may be opened by any. Ownership: the path is good while the
// object lives. Failure: Status where the system refuses.
#ifndef SIGHTLINE_SERVER_SECURITY_MEMORY_FILE_H_
#define SIGHTLINE_SERVER_SECURITY_MEMORY_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::server {

class MemoryFile {
 public:
  static absl::StatusOr<std::unique_ptr<MemoryFile>> Create(absl::string_view content);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  absl::Status Replace(absl::string_view content);
  std::string path() const;

 private:
  explicit MemoryFile(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_MEMORY_FILE_H_
