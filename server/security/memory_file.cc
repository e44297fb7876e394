#include "server/security/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::server {
namespace {

absl::StatusOr<int> Filled(absl::string_view content) {
  const int fd = ::memfd_create("sightline", MFD_CLOEXEC);
  size_t done = 0;
  while (fd >= 0 && done < content.size()) {
    const ssize_t written = ::write(fd, content.data() + done, content.size() - done);
    if (written > 0) {
      done += static_cast<size_t>(written);
    } else if (errno != EINTR) {
      break;
    }
  }
  if (fd >= 0 && done == content.size()) return fd;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  return base::Error(absl::StatusCode::kInternal, "MEMORY_FILE",
                     absl::StrCat("cannot keep a file in memory: ", std::strerror(error),
                                  ". Check the limits on memory and open files."));
}

}  // namespace

absl::StatusOr<std::unique_ptr<MemoryFile>> MemoryFile::Create(absl::string_view content) {
  SIGHTLINE_ASSIGN_OR_RETURN(const int fd, Filled(content));
  std::unique_ptr<MemoryFile> file(new MemoryFile(fd));
  if (::access(file->path().c_str(), R_OK) != 0) {
    return base::FailedPrecondition(
        "PROC_MISSING",
        absl::StrCat(file->path(), " cannot be read: ", std::strerror(errno), ". Mount /proc where the server runs."));
  }
  return file;
}

MemoryFile::~MemoryFile() { ::close(fd_); }

std::string MemoryFile::path() const { return absl::StrCat("/proc/self/fd/", fd_); }

absl::Status MemoryFile::Replace(absl::string_view content) {
  SIGHTLINE_ASSIGN_OR_RETURN(const int fresh, Filled(content));
  const int done = ::dup3(fresh, fd_, O_CLOEXEC);
  const int error = errno;
  ::close(fresh);
  if (done == fd_) return absl::OkStatus();
  return base::Error(absl::StatusCode::kInternal, "MEMORY_FILE",
                     absl::StrCat("cannot replace a file in memory: ", std::strerror(error), ". Try again."));
}

}  // namespace sightline::server
