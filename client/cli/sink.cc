#include "client/cli/sink.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::cli {

void FdSink::Write(absl::string_view text) {
  while (!text.empty() && !closed_) {
    const ssize_t wrote = ::write(fd_, text.data(), text.size());
    if (wrote >= 0) {
      text.remove_prefix(static_cast<size_t>(wrote));
    } else if (errno == EAGAIN) {
      // Someone set the pipe non-blocking; wait for room.
      pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      closed_ = true;
      if (errno == EPIPE) return;
      problem_ = base::Error(
          absl::StatusCode::kInternal, "FILE_ERROR",
          absl::StrCat("cannot write ", name_, ": ", std::strerror(errno), ". Check where it goes, and the disk."),
          {{"path", name_}});
    }
  }
}

}  // namespace sightline::cli
