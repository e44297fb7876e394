#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/kill_point.h"

namespace sightline::base {
namespace {

absl::Status SystemError(absl::string_view action, const std::string& path, int error) {
  const ErrorFacts facts = {{"path", path}, {"errno", absl::StrCat(error)}};
  const std::string what = absl::StrCat("cannot ", action, " ", path, ": ", std::strerror(error), ". ");
  switch (error) {
    case ENOENT:
      return Error(absl::StatusCode::kNotFound, "FILE_NOT_FOUND", absl::StrCat(what, "Check the path."), facts);
    case EACCES:
    case EPERM:
    case EROFS:
      return Error(absl::StatusCode::kPermissionDenied, "FILE_NOT_ACCESSIBLE",
                   absl::StrCat(what, "Check the owner and the mode of the file."), facts);
    case ENOSPC:
    case EDQUOT:
      return Error(absl::StatusCode::kResourceExhausted, "DISK_FULL", absl::StrCat(what, "Free some space."), facts);
    default:
      return Error(absl::StatusCode::kInternal, "FILE_ERROR", absl::StrCat(what, "Check the disk and the system log."),
                   facts);
  }
}

absl::Status WriteAll(int fd, absl::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return SystemError("write", path, errno);
    }
    content.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status CheckRegular(const struct stat& info, const std::string& path, int64_t max_bytes) {
  if (!S_ISREG(info.st_mode)) {
    return InvalidArgument("NOT_A_FILE", absl::StrCat(path, " is not a regular file. Name a file."), {{"path", path}});
  }
  if (info.st_size > max_bytes) {
    return InvalidArgument(
        "FILE_TOO_LARGE",
        absl::StrCat(path, " has ", info.st_size, " bytes; the limit is ", max_bytes, ". Use a smaller file."),
        {{"path", path}, {"actual", absl::StrCat(info.st_size)}, {"limit", absl::StrCat(max_bytes)}});
  }
  return absl::OkStatus();
}

std::string ParentFolder(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return SystemError("open", path, errno);
  const auto close = absl::MakeCleanup([fd] { ::close(fd); });
  struct stat info {};
  if (::fstat(fd, &info) != 0) return SystemError("read", path, errno);
  SIGHTLINE_RETURN_IF_ERROR(CheckRegular(info, path, max_bytes));
  std::string content(static_cast<size_t>(info.st_size), '\0');
  size_t have = 0;
  while (have < content.size()) {
    const ssize_t got = ::read(fd, content.data() + have, content.size() - have);
    if (got < 0) {
      if (errno == EINTR) continue;
      return SystemError("read", path, errno);
    }
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  content.resize(have);
  return content;
}

absl::Status WriteFileDurably(const std::string& path, absl::string_view content) {
  const std::string temporary = absl::StrCat(path, ".tmp");
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("create", temporary, errno);
  absl::Status status = WriteAll(fd, content, temporary);
  SIGHTLINE_KILL_POINT("whole_file.after_write");
  if (status.ok() && ::fsync(fd) != 0) status = SystemError("sync", temporary, errno);
  if (::close(fd) != 0 && status.ok()) status = SystemError("close", temporary, errno);
  SIGHTLINE_KILL_POINT("whole_file.after_sync");
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = SystemError("rename to", path, errno);
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  SIGHTLINE_KILL_POINT("whole_file.after_rename");
  return SyncFolder(ParentFolder(path));
}

absl::Status SyncFolder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError("open folder", path, errno);
  const auto close = absl::MakeCleanup([fd] { ::close(fd); });
  if (::fsync(fd) != 0) return SystemError("sync folder", path, errno);
  return absl::OkStatus();
}

absl::Status CreateFolders(const std::string& path) {
  std::error_code error;
  const std::filesystem::path target(path);
  if (std::filesystem::is_directory(target, error)) return absl::OkStatus();
  const std::string parent = ParentFolder(path);
  if (parent != path && parent != ".") SIGHTLINE_RETURN_IF_ERROR(CreateFolders(parent));
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return SystemError("create folder", path, errno);
  if (!std::filesystem::is_directory(target, error)) return SystemError("create folder", path, ENOTDIR);
  return SyncFolder(parent);
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator it(path, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) return SystemError("list folder", path, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Acquire(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("open lock file", path, errno);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error == EWOULDBLOCK) {
      return FailedPrecondition(
          "ALREADY_LOCKED",
          absl::StrCat(path, " is locked by another process. Stop the other server, or use another data directory."),
          {{"path", path}});
    }
    return SystemError("lock", path, error);
  }
  return std::unique_ptr<FileLock>(new FileLock(fd));
}

FileLock::~FileLock() { ::close(fd_); }

absl::StatusOr<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path, int64_t max_bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return SystemError("open", path, errno);
  const auto close = absl::MakeCleanup([fd] { ::close(fd); });
  struct stat info {};
  if (::fstat(fd, &info) != 0) return SystemError("read", path, errno);
  SIGHTLINE_RETURN_IF_ERROR(CheckRegular(info, path, max_bytes));
  const size_t size = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) return SystemError("map", path, errno);
  }
  return std::unique_ptr<MappedFile>(new MappedFile(data, size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace sightline::base
