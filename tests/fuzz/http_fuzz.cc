// Any bytes as what a client sends to the HTTP address, through a socket to the real listener. What comes back is HTTP;
// a page is given only to who asked for one, and its lines are the page's own.
//
// To add pages, add them to Routes(): those that take something of the caller's (a query string, a body) as the server
// has them, over stand-ins for what is behind them.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/http/http_server.h"
#include "server/http/pages.h"
#include "server/observe/columns.h"
#include "tests/fuzz/fuzz_check.h"

namespace sightline::server {
namespace {

constexpr char kPage[] = "the page\n";
constexpr size_t kColumns = 100;

Pages::Routes Routes() {
  const auto page = [] { return HttpReply{.body = kPage}; };
  return {{"/healthz", page}, {"/readyz", [] { return HttpReply{.code = 503, .body = kPage}; }}, {"/metrics", page}};
}

int Connect(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  while (true) {
    const int connection = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return connection;
    const int error = errno;
    ::close(connection);
    // libFuzzer's clock interrupts a connection that waits for the listener. Anything else is the machine's trouble.
    if (error == EINTR) continue;
    std::fprintf(stderr, "http_fuzz: no connection: %s\n", std::strerror(error));
    std::abort();
  }
}

// Sends all of it and nothing more; what came back until the other side closed, or had nothing more to say.
std::string Exchange(int port, absl::string_view bytes) {
  const bool complete = absl::StrContains(bytes, "\r\n\r\n") || absl::StrContains(bytes, "\n\n");
  const int connection = Connect(port);
  // The other side may close before it has read everything.
  while (!bytes.empty()) {
    const ssize_t sent = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) break;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  // One that is not complete is waited for, until a time-out: that is not waited for here.
  std::string reply;
  pollfd readable{.fd = connection, .events = POLLIN, .revents = 0};
  char buffer[4096];
  while (complete && ::poll(&readable, 1, /*milliseconds=*/50) == 1) {
    if (reply.empty()) ::shutdown(connection, SHUT_WR);
    const ssize_t got = ::recv(connection, buffer, sizeof(buffer), 0);
    if (got <= 0) break;
    reply.append(buffer, static_cast<size_t>(got));
  }
  ::close(connection);
  return reply;
}

// What operators read of what callers wrote.
void CheckStatusText(absl::string_view text) {
  const std::string shown = FitColumns(absl::StrCat("  ", Printable(text)), kColumns);
  for (const absl::string_view line : absl::StrSplit(shown, '\n')) {
    testing::Expect(line.size() <= kColumns && absl::StartsWith(line, "  ") && Printable(line) == line);
  }
}

}  // namespace
}  // namespace sightline::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  static server::Pages pages(server::Routes());
  static const std::unique_ptr<server::HttpServer> http =
      *server::HttpServer::Start({.address = "127.0.0.1:0"}, &pages);
  const absl::string_view bytes = testing::View(data, size);
  server::CheckStatusText(bytes);
  const std::string reply = server::Exchange(http->port(), bytes);
  if (reply.empty()) return 0;
  testing::Expect(absl::StartsWith(reply, "HTTP/1."));
  if (!absl::StrContains(reply, server::kPage)) return 0;
  const bool asked = absl::StrContains(bytes, "/healthz") || absl::StrContains(bytes, "/readyz") ||
                     absl::StrContains(bytes, "/metrics") || absl::StrContains(bytes, "%");
  // To libmicrohttpd HEAD with a zero behind it is no HEAD: it sends the body.
  testing::Expect(asked &&
                  (absl::StrContains(bytes, "GET") || absl::StrContains(bytes, absl::string_view("HEAD\0", 5))));
  testing::Expect(absl::StrContains(reply, "X-Content-Type-Options: nosniff"));
  return 0;
}
