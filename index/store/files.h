// Files: the files that are not RocksDB's own, through the same layer of RocksDB that its own go through, so that one
// fault-injecting environment stands under everything a collection keeps.
//
// Threading: Files and FileReader from any thread; a FileSink from one thread at a time.
// Ownership: the environment must outlive Files and what it made. A sink destroyed before Finish leaves nothing behind.
// Failure: Status. A full disk becomes RESOURCE_EXHAUSTED, a file that is shorter than what is read of it DATA_LOSS,
// a missing one NOT_FOUND, other trouble UNAVAILABLE.
//
//   const Files files(env);
//   SIGHTLINE_ASSIGN_OR_RETURN(auto sink, files.Create(path));
//   SIGHTLINE_RETURN_IF_ERROR(sink->Append(bytes));
//   SIGHTLINE_RETURN_IF_ERROR(sink->Finish());  // now there, whole and for good
#ifndef SIGHTLINE_INDEX_STORE_FILES_H_
#define SIGHTLINE_INDEX_STORE_FILES_H_

#include <rocksdb/env.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::index {

// A file being written, under its name with ".tmp" until Finish.
class FileSink {
 public:
  ~FileSink();
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  // Call it with large pieces: each is one write to the system. After a failure only destruction is left.
  absl::Status Append(absl::string_view data);

  // Makes the content durable, then the name. Once, and last.
  absl::Status Finish();

  int64_t size() const { return size_; }

 private:
  friend class Files;
  FileSink(rocksdb::Env* env, std::string path, std::unique_ptr<rocksdb::WritableFile> file);

  rocksdb::Env* const env_;
  const std::string path_;
  std::unique_ptr<rocksdb::WritableFile> file_;  // empty when closed
  int64_t size_ = 0;
  bool renamed_ = false;
};

class FileReader {
 public:
  // Exactly `n` bytes from `offset` into `out`. Asking beyond the end is DATA_LOSS.
  absl::Status Read(int64_t offset, size_t n, char* out) const;

  // Asks the system to have these bytes ready; returns at once.
  void Prefetch(int64_t offset, size_t n) const;

  // When it was opened.
  int64_t size() const { return size_; }

 private:
  friend class Files;
  FileReader(std::string path, int64_t size, std::unique_ptr<rocksdb::RandomAccessFile> file)
      : path_(std::move(path)), size_(size), file_(std::move(file)) {}

  const std::string path_;
  const int64_t size_;
  const std::unique_ptr<rocksdb::RandomAccessFile> file_;
};

class Files {
 public:
  // nullptr: the real one.
  explicit Files(rocksdb::Env* env = nullptr) : env_(env == nullptr ? rocksdb::Env::Default() : env) {}

  // Replaces what was under `path` by Finish, not before.
  absl::StatusOr<std::unique_ptr<FileSink>> Create(const std::string& path) const;
  absl::StatusOr<std::unique_ptr<FileReader>> Open(const std::string& path) const;

  // OK when there is no such file. Not synced: after power loss it may be there again.
  absl::Status Remove(const std::string& path) const;

  // Names of the files of a folder, sorted; none when there is no such folder.
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) const;

  // Makes a folder, durably, in one that exists. OK when it is there.
  absl::Status CreateFolder(const std::string& folder) const;

 private:
  rocksdb::Env* const env_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_FILES_H_
