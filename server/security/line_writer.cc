#include "server/security/line_writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"

namespace sightline::server {

absl::StatusOr<int> LineWriter::OpenFile(const std::string& path) {
  if (path == "-") return STDERR_FILENO;
  // Others of the machine must not read who does what. A pipe or a device would block or answer.
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
  struct stat info {};
  if (fd >= 0 && ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) return fd;
  const std::string why = fd < 0 ? std::strerror(errno) : "it is not a regular file";
  if (fd >= 0) ::close(fd);
  return base::InvalidArgument(
      "LOG_FILE_NOT_OPENED",
      absl::StrCat("cannot append to ", path, ": ", why, ". Name a file in a folder that the server may write to."),
      {{"path", path}});
}

absl::StatusOr<std::unique_ptr<LineWriter>> LineWriter::Open(Options options) {
  SIGHTLINE_ASSIGN_OR_RETURN(const int fd, OpenFile(options.path));
  return std::unique_ptr<LineWriter>(new LineWriter(std::move(options), fd));
}

LineWriter::LineWriter(Options options, int fd) : options_(std::move(options)), fd_(fd), thread_([this] { Run(); }) {}

LineWriter::~LineWriter() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
  if (fd_ != STDERR_FILENO) ::close(fd_);
}

void LineWriter::Write(absl::string_view line) {
  base::MutexLock lock(mutex_);
  if (waiting_.size() + line.size() + 1 > options_.max_waiting_bytes) {
    ++dropped_;
    return;
  }
  absl::StrAppend(&waiting_, line, "\n");
  ++lines_;
  changed_.NotifyOne();
}

void LineWriter::Reopen() {
  base::MutexLock lock(mutex_);
  reopen_ = true;
  changed_.NotifyOne();
}

bool LineWriter::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      if (healthy_) {
        base::Log(base::Severity::kError, "audit log not written: lines are lost until it can be",
                  {{"file", options_.path}, {"error", std::strerror(errno)}});
      }
      healthy_ = false;
      return false;
    }
    bytes.remove_prefix(static_cast<size_t>(written));
    cut_ = !bytes.empty();
  }
  healthy_ = true;
  return true;
}

void LineWriter::Run() {
  pthread_setname_np(pthread_self(), "audit-log");
  int64_t lost = 0;  // not told in the file yet
  for (;;) {
    std::string text;
    int64_t lines = 0;
    int64_t dropped = 0;
    bool reopen = false;
    bool last = false;
    {
      base::MutexLock lock(mutex_);
      while (waiting_.empty() && dropped_ == 0 && !reopen_ && !stopping_) changed_.Wait(mutex_);
      std::swap(text, waiting_);
      std::swap(lines, lines_);
      std::swap(dropped, dropped_);
      std::swap(reopen, reopen_);
      last = stopping_;
    }
    if (reopen) {
      if (const absl::StatusOr<int> fd = OpenFile(options_.path); !fd.ok()) {
        base::Log(base::Severity::kError, "audit log not opened again: the file before is written on",
                  {{"error", std::string(fd.status().message())}});
      } else {
        if (fd_ != STDERR_FILENO) ::close(fd_);
        fd_ = *fd;
        cut_ = false;
      }
    }
    lost += dropped;
    // A line that a full disk has cut must not swallow the one behind it.
    if (cut_) text.insert(0, "\n");
    if (lost > 0) absl::StrAppend(&text, options_.on_loss(lost), "\n");
    if (Append(text)) {
      lost = 0;
    } else {
      lost += lines;
      dropped += lines;
      lines = 0;
    }
    if (options_.count) options_.count(lines, dropped);
    if (last) return;
  }
}

}  // namespace sightline::server
