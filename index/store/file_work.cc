#include "index/store/file_work.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/status.h"

namespace sightline::index {
namespace {

constexpr size_t kPieceBytes = 1 << 20;

absl::Status FileWorkError(absl::string_view action, const std::string& path, int error) {
  const base::ErrorFacts facts = {{"path", path}, {"errno", absl::StrCat(error)}};
  const std::string what = absl::StrCat("cannot ", action, " ", path, ": ", std::strerror(error), ". ");
  switch (error) {
    case ENOENT:
      return base::NotFound("FILE_NOT_FOUND", absl::StrCat(what, "Check whether something else removed it."), facts);
    case ENOSPC:
    case EDQUOT:
      return base::Error(absl::StatusCode::kResourceExhausted, "DISK_FULL",
                         absl::StrCat(what, "Free space on the data directory's disk and try again."), facts);
    default:
      return base::Error(absl::StatusCode::kInternal, "FILE_ERROR",
                         absl::StrCat(what, "Check the disk and the permissions of the data directory."), facts);
  }
}

// Calls `take` with the pieces of a file in order.
absl::Status ForEachPiece(const InputFile& file, absl::FunctionRef<absl::Status(absl::string_view piece)> take) {
  const auto buffer = std::make_unique<char[]>(kPieceBytes);
  for (int64_t offset = 0;;) {
    SIGHTLINE_ASSIGN_OR_RETURN(const size_t got, file.Read(offset, buffer.get(), kPieceBytes));
    if (got == 0) return absl::OkStatus();
    offset += static_cast<int64_t>(got);
    SIGHTLINE_RETURN_IF_ERROR(take({buffer.get(), got}));
  }
}

}  // namespace

// ---- Reading

absl::StatusOr<std::unique_ptr<InputFile>> InputFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return FileWorkError("open", path, errno);
  struct stat info {};
  const int error = ::fstat(fd, &info) != 0 ? errno : S_ISREG(info.st_mode) ? 0 : EINVAL;
  if (error != 0) {
    ::close(fd);
    return FileWorkError("read", path, error);
  }
  return std::unique_ptr<InputFile>(new InputFile(path, fd, info.st_size));
}

InputFile::~InputFile() { ::close(fd_); }

absl::StatusOr<size_t> InputFile::Read(int64_t offset, char* out, size_t size) const {
  size_t have = 0;
  while (have < size) {
    const ssize_t got = ::pread(fd_, out + have, size - have, offset + static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileWorkError("read", path_, errno);
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  return have;
}

absl::StatusOr<FileDigest> DigestFile(const std::string& path, absl::FunctionRef<absl::Status(int64_t bytes)> piece) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<InputFile> file, InputFile::Open(path));
  base::Sha256 hash;
  FileDigest digest;
  SIGHTLINE_RETURN_IF_ERROR(ForEachPiece(*file, [&](absl::string_view bytes) {
    hash.Update(bytes);
    digest.size += static_cast<int64_t>(bytes.size());
    return piece(static_cast<int64_t>(bytes.size()));
  }));
  digest.sha256 = hash.FinishHex();
  return digest;
}

// ---- Writing

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return FileWorkError("create", path, errno);
  return std::unique_ptr<OutputFile>(new OutputFile(path, fd));
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status OutputFile::Append(absl::string_view data) {
  empty_ = empty_ && data.empty();
  while (!data.empty()) {
    const ssize_t written = ::write(fd_, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileWorkError("write", path_, errno);
    data.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status OutputFile::Finish() {
  const int fd = std::exchange(fd_, -1);
  // An empty file has only its name to keep.
  const int sync_error = !empty_ && ::fsync(fd) != 0 ? errno : 0;
  const int close_error = ::close(fd) != 0 ? errno : 0;
  if (sync_error != 0) return FileWorkError("sync", path_, sync_error);
  if (close_error != 0) return FileWorkError("close", path_, close_error);
  return absl::OkStatus();
}

absl::StatusOr<FileDigest> CopyFile(const std::string& from, const std::string& to) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<InputFile> input, InputFile::Open(from));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> output, OutputFile::Create(to));
  base::Sha256 hash;
  FileDigest digest;
  SIGHTLINE_RETURN_IF_ERROR(ForEachPiece(*input, [&](absl::string_view bytes) {
    hash.Update(bytes);
    digest.size += static_cast<int64_t>(bytes.size());
    return output->Append(bytes);
  }));
  SIGHTLINE_RETURN_IF_ERROR(output->Finish());
  digest.sha256 = hash.FinishHex();
  return digest;
}

absl::Status LinkOrCopyFile(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  // File systems without links say one of the first three; one file can only have so many.
  if (error == EPERM || error == EOPNOTSUPP || error == EXDEV || error == EMLINK) return CopyFile(from, to).status();
  return FileWorkError("link", from, error);
}

// ---- Files and folders as a whole

absl::Status MakeFolder(const std::string& path) {
  return ::mkdir(path.c_str(), 0755) == 0 ? absl::OkStatus() : FileWorkError("create folder", path, errno);
}

absl::Status SyncFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return FileWorkError("open", path, errno);
  const auto close = absl::MakeCleanup([fd] { ::close(fd); });
  return ::fsync(fd) == 0 ? absl::OkStatus() : FileWorkError("sync", path, errno);
}

absl::Status Move(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return FileWorkError(absl::StrCat("rename ", from, " to"), to, errno);
}

absl::Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? FileWorkError("remove", path, error.value()) : absl::OkStatus();
}

void RemoveTreeOrLog(const std::string& path) {
  if (const absl::Status removed = RemoveTree(path); !removed.ok()) {
    base::Log(base::Severity::kWarning, removed.message());
  }
}

absl::StatusOr<int64_t> FreeDiskBytes(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return FileWorkError("measure", path, errno);
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  const uint64_t block = std::max<uint64_t>(info.f_frsize, 1);
  return static_cast<int64_t>(std::min<uint64_t>(info.f_bavail, kMost / block) * block);
}

absl::Status WorkFolder::Create() {
  SIGHTLINE_RETURN_IF_ERROR(MakeFolder(path_));
  created_ = true;
  return absl::OkStatus();
}

void WorkFolder::Remove() {
  if (std::exchange(created_, false)) RemoveTreeOrLog(path_);
}

}  // namespace sightline::index
