#include "tests/support/raw_http2.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace sightline::testing {
namespace {

enum FrameType : uint8_t { kData = 0, kHeaders = 1, kResetStream = 3, kSettings = 4 };
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kEndHeaders = 4;
constexpr uint16_t kInitialWindowSize = 4;

void AppendNumber(uint32_t value, int bytes, std::string* out) {
  for (int i = bytes - 1; i >= 0; --i) out->push_back(static_cast<char>(value >> (8 * i)));
}

std::string Frame(FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  std::string out;
  AppendNumber(static_cast<uint32_t>(payload.size()), 3, &out);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  AppendNumber(stream, 4, &out);
  absl::StrAppend(&out, payload);
  return out;
}

// A header that is not kept in the table, with a plain value shorter than 127 bytes. `index`: the name's place in
// HPACK's static table; 0 for a name that is spelled out.
void AppendHeader(int index, absl::string_view name, absl::string_view value, std::string* out) {
  out->push_back(static_cast<char>(index));
  if (index == 0) absl::StrAppend(out, std::string(1, static_cast<char>(name.size())), name);
  absl::StrAppend(out, std::string(1, static_cast<char>(value.size())), value);
}

}  // namespace

absl::StatusOr<RawHttp2> RawHttp2::Open(int port, int receive_buffer) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "socket");
  RawHttp2 connection(fd);
  if (receive_buffer > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno, "connect");
  }
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return connection;
}

RawHttp2::RawHttp2(RawHttp2&& other) noexcept : fd_(std::exchange(other.fd_, -1)), closed_(other.closed_) {}

RawHttp2& RawHttp2::operator=(RawHttp2&& other) noexcept {
  if (fd_ >= 0 && this != &other) close(fd_);
  fd_ = std::exchange(other.fd_, -1);
  closed_ = other.closed_;
  return *this;
}

RawHttp2::~RawHttp2() {
  if (fd_ >= 0) close(fd_);
}

std::string RawHttp2::Preface(uint32_t window) {
  std::string settings;
  AppendNumber(kInitialWindowSize, 2, &settings);
  AppendNumber(window, 4, &settings);
  return absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Frame(kSettings, 0, 0, settings));
}

std::string RawHttp2::Headers(uint32_t stream, absl::string_view path) {
  std::string block;
  block.push_back('\x83');  // :method POST
  block.push_back('\x86');  // :scheme http
  AppendHeader(4, "", path, &block);
  AppendHeader(1, "", "localhost", &block);
  AppendHeader(0, "te", "trailers", &block);
  AppendHeader(0, "content-type", "application/grpc", &block);
  return Frame(kHeaders, kEndHeaders, stream, block);
}

std::string RawHttp2::Data(uint32_t stream, absl::string_view bytes, bool end) {
  return Frame(kData, end ? kEndStream : 0, stream, bytes);
}

std::string RawHttp2::Message(absl::string_view bytes) {
  std::string out(1, '\0');
  AppendNumber(static_cast<uint32_t>(bytes.size()), 4, &out);
  absl::StrAppend(&out, bytes);
  return out;
}

std::string RawHttp2::Reset(uint32_t stream) {
  std::string cancel;
  AppendNumber(8, 4, &cancel);
  return Frame(kResetStream, 0, stream, cancel);
}

bool RawHttp2::Send(absl::string_view bytes) {
  const absl::Time end = absl::Now() + absl::Seconds(5);
  while (!bytes.empty() && !closed_) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN && absl::Now() < end) {
      pollfd waiting = {.fd = fd_, .events = POLLOUT, .revents = 0};
      poll(&waiting, 1, 100);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return !closed_;
}

std::string RawHttp2::Receive() {
  std::string out;
  char buffer[16'384];
  while (!closed_) {
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (got > 0) {
      out.append(buffer, static_cast<size_t>(got));
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      closed_ = got == 0 || errno != EAGAIN;
      break;
    }
  }
  return out;
}

bool RawHttp2::Closed() {
  Receive();
  return closed_;
}

bool RawHttp2::WaitUntilClosed(absl::Duration most) {
  const absl::Time end = absl::Now() + most;
  while (!Closed() && absl::Now() < end) {
    pollfd waiting = {.fd = fd_, .events = POLLIN, .revents = 0};
    poll(&waiting, 1, 50);
  }
  return closed_;
}

void RawHttp2::Abort() {
  if (fd_ < 0) return;
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(fd_);
  fd_ = -1;
  closed_ = true;
}

}  // namespace sightline::testing
