// The file work of a data directory: read in pieces, digests, copies and hard links, folders moved and removed whole.
//
// Threading: functions from any thread; an object from one thread at a time.
// Ownership: objects own their descriptors. A WorkFolder removes what is left in it.
// Failure: Status with the path. A full disk is RESOURCE_EXHAUSTED, a missing file NOT_FOUND.
//
//   WorkFolder work(staging + "/snapshot.1f");
//   SIGHTLINE_RETURN_IF_ERROR(work.Create());
//   SIGHTLINE_RETURN_IF_ERROR(LinkOrCopyFile(from, work.path() + "/000012.sst"));
//   SIGHTLINE_ASSIGN_OR_RETURN(FileDigest digest, DigestFile(from, [](int64_t) { return absl::OkStatus(); }));
#ifndef SIGHTLINE_INDEX_STORE_FILE_WORK_H_
#define SIGHTLINE_INDEX_STORE_FILE_WORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::index {

// A regular file being read.
class InputFile {
 public:
  static absl::StatusOr<std::unique_ptr<InputFile>> Open(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  int64_t size() const { return size_; }  // when it was opened
  // Up to `size` bytes from `offset`; fewer only at the end.
  absl::StatusOr<size_t> Read(int64_t offset, char* out, size_t size) const;

 private:
  InputFile(std::string path, int fd, int64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}
  const std::string path_;
  const int fd_;
  const int64_t size_;
};

// A new file being written. It stays as it is when the object goes before Finish: a WorkFolder cleans up.
class OutputFile {
 public:
  // Fails when there is something under `path`.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Create(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  absl::Status Append(absl::string_view data);
  // Makes the content durable; the name needs a sync of its folder. Once, and last.
  absl::Status Finish();

 private:
  OutputFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  const std::string path_;
  int fd_;
  bool empty_ = true;
};

struct FileDigest {
  int64_t size = 0;
  std::string sha256;  // lower-case hex
};

// Reads a whole file. `piece` is told of the bytes of every piece; an error of it ends the work.
absl::StatusOr<FileDigest> DigestFile(const std::string& path, absl::FunctionRef<absl::Status(int64_t bytes)> piece);

// A durable copy; the digest is that of what was copied.
absl::StatusOr<FileDigest> CopyFile(const std::string& from, const std::string& to);

// A hard link; a copy where the file system has none.
absl::Status LinkOrCopyFile(const std::string& from, const std::string& to);

// A folder that is not there yet; whoever moves it to its place makes it durable.
absl::Status MakeFolder(const std::string& path);

absl::Status SyncFile(const std::string& path);
absl::Status Move(const std::string& from, const std::string& to);
absl::Status RemoveTree(const std::string& path);
// The same, where a failure is only worth a line in the log.
void RemoveTreeOrLog(const std::string& path);

// What this user may still write to the disk that holds `path`.
absl::StatusOr<int64_t> FreeDiskBytes(const std::string& path);

// A folder for the time of its object.
class WorkFolder {
 public:
  explicit WorkFolder(std::string path) : path_(std::move(path)) {}
  ~WorkFolder() { Remove(); }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const std::string& path() const { return path_; }
  absl::Status Create();
  void Remove();

 private:
  const std::string path_;
  bool created_ = false;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_FILE_WORK_H_
