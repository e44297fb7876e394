// The file layer: whole files in and out, with limits on the way in and durability on the way out.
//
// Threading: pure functions of the file system. Failure: Status with the path, the system's words and what to do.
#ifndef SIGHTLINE_BASE_FILE_H_
#define SIGHTLINE_BASE_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/status.h"

namespace sightline::base {

// Reads a whole regular file of at most `max_bytes`. A folder, a device or a larger file is refused.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes);

// Replaces or creates `path`: after OK the new content survives power loss, and before it the old one does.
absl::Status WriteFileDurably(const std::string& path, absl::string_view content);

// Makes the entries of a folder durable.
absl::Status SyncFolder(const std::string& path);

// Creates a folder and its parents, durably. OK when it exists.
absl::Status CreateFolders(const std::string& path);

// Names of the entries of a folder, sorted, without "." and "..".
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);

// Holds an exclusive lock on a file, so that two servers never open one data directory.
class FileLock {
 public:
  // FAILED_PRECONDITION when another process holds it.
  static absl::StatusOr<std::unique_ptr<FileLock>> Acquire(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  const int fd_;
};

// A read-only view of a whole file, mapped into memory.
class MappedFile {
 public:
  // Refuses files larger than `max_bytes`. The view stays valid while the object lives; a file that is cut short by
  // someone else meanwhile makes reading it end the process, so map only files that nobody else writes.
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path, int64_t max_bytes);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  absl::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile(void* data, size_t size) : data_(data), size_(size) {}
  void* const data_;
  const size_t size_;
};

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_FILE_H_
