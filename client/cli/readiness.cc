#include "client/cli/readiness.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace sightline::cli {
namespace {

// The status line is all that is read of an answer.
constexpr size_t kMaxLineBytes = 256;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::Status NotThere(const std::string& address, absl::string_view why) {
  return base::Error(absl::StatusCode::kUnavailable, "NOT_REACHABLE",
                     absl::StrCat("nothing answers at ", address, ": ", why,
                                  ". Check that the server runs, and name its --http_listen address."),
                     {{"address", address}});
}

absl::Status TooLate(const std::string& address) {
  return base::Error(absl::StatusCode::kDeadlineExceeded, "NO_ANSWER",
                     absl::StrCat(address, " did not answer in time. Look at the server's log, or raise --timeout."),
                     {{"address", address}});
}

// Waits until the socket can be read or written, or the time is over.
bool WaitFor(const Socket& socket, short events, absl::Time deadline) {
  for (;;) {
    const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left <= 0) return false;
    pollfd waiting{.fd = socket.fd(), .events = events, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

absl::Status Connect(const Socket& socket, const addrinfo& target, const std::string& address, absl::Time deadline) {
  if (::connect(socket.fd(), target.ai_addr, target.ai_addrlen) == 0) return absl::OkStatus();
  if (errno != EINPROGRESS) return NotThere(address, std::strerror(errno));
  if (!WaitFor(socket, POLLOUT, deadline)) return TooLate(address);
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 ? absl::OkStatus() : NotThere(address, std::strerror(error));
}

// Sends the request and reads the answer's first line.
absl::StatusOr<std::string> Ask(const Socket& socket, const std::string& address, absl::Time deadline) {
  // Far below what any socket takes at once.
  const std::string request = absl::StrCat("GET /readyz HTTP/1.0\r\nHost: ", address, "\r\n\r\n");
  if (::send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return NotThere(address, std::strerror(errno));
  }
  std::string line;
  while (line.size() < kMaxLineBytes && !absl::StrContains(line, '\n')) {
    if (!WaitFor(socket, POLLIN, deadline)) return TooLate(address);
    char buffer[kMaxLineBytes];
    const ssize_t got = ::recv(socket.fd(), buffer, sizeof(buffer), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return NotThere(address, std::strerror(errno));
    if (got == 0) break;
    line.append(buffer, static_cast<size_t>(got));
  }
  return line;
}

absl::Status Judge(const std::string& address, absl::string_view line) {
  int code = 0;
  if (absl::StartsWith(line, "HTTP/1.") && line.size() >= 12 && line[8] == ' ' &&
      absl::SimpleAtoi(line.substr(9, 3), &code)) {
    if (code == 200) return absl::OkStatus();
    if (code == 503) {
      return base::Error(
          absl::StatusCode::kUnavailable, "NOT_READY",
          absl::StrCat("the server at ", address, " is not ready. It is starting or stopping; try again."),
          {{"address", address}});
    }
  }
  return base::Error(
      absl::StatusCode::kUnavailable, "NOT_A_SERVER",
      absl::StrCat("what listens at ", address, " is no Sightline server",
                   code == 0 ? "" : absl::StrCat(": it answers ", code), ". Name the server's --http_listen address."),
      {{"address", address}});
}

}  // namespace

absl::Status AskReady(const std::string& address, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 ||
      port > 65'535) {
    return base::InvalidArgument(
        "USAGE", absl::StrCat("'", address, "' is no address. Write host:port, such as 127.0.0.1:8080 or [::1]:8080."),
        {{"argument", address}});
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found); error != 0) {
    return NotThere(address, ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> targets(found, &::freeaddrinfo);
  absl::Status status = NotThere(address, "the name has no address");
  for (const addrinfo* target = targets.get(); target != nullptr; target = target->ai_next) {
    const Socket socket(::socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, target->ai_protocol));
    if (socket.fd() < 0) {
      status = NotThere(address, std::strerror(errno));
      continue;
    }
    status = Connect(socket, *target, address, deadline);
    if (!status.ok()) continue;
    const absl::StatusOr<std::string> line = Ask(socket, address, deadline);
    return line.ok() ? Judge(address, *line) : line.status();
  }
  return status;
}

}  // namespace sightline::cli
