#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/status.h"
#include "server/http/address.h"

namespace sightline::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Connection {
 public:
  explicit Connection(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Connection() { close(fd_); }

  void SendOnly(const std::string& text) {
    EXPECT_TRUE(connected_);
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }

  std::string Send(const std::string& text) {
    SendOnly(text);
    std::string out;
    char buffer[4096];
    for (ssize_t got; (got = recv(fd_, buffer, sizeof(buffer), 0)) > 0;) out.append(buffer, static_cast<size_t>(got));
    return out;
  }

 private:
  const int fd_;
  bool connected_ = false;
};

std::unique_ptr<HttpServer> StartServer() {
  auto server = HttpServer::Start("127.0.0.1:0", {{"/healthz", [] { return HttpReply{200, "text/plain", "ok\n"}; }}});
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

TEST(HttpServerTest, AnswersItsRoutes) {
  const auto server = StartServer();
  const std::string reply = Connection(server->port()).Send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(reply, HasSubstr("\r\n\r\nok\n"));
}

TEST(HttpServerTest, RefusesOtherPathsMethodsAndNonsense) {
  const auto server = StartServer();
  EXPECT_THAT(Connection(server->port()).Send("GET /../etc/passwd HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Connection(server->port()).Send("POST /healthz HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("\r\nAllow: GET, HEAD\r\n")));
  // What is no HTTP at all gets no answer, or a refusal once the time-out has passed; nobody need wait for it.
  Connection nonsense(server->port());
  nonsense.SendOnly("\xFF\x01 nonsense\r\n\r\n");
  Connection(server->port()).Send("GET /healthz HTTP/1.0\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(Connection(server->port()).Send("GET /healthz HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

// A body that never ends must not be waited for.
TEST(HttpServerTest, OtherMethodsAreRefusedBeforeTheirBodies) {
  const auto server = StartServer();
  EXPECT_THAT(
      Connection(server->port()).Send("POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
      StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Connection(server->port()).Send("PUT /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"),
              StartsWith("HTTP/1.1 405"));
}

TEST(HttpServerTest, SilentConnectionsDoNotSilenceOthers) {
  const auto server = StartServer();
  std::vector<std::unique_ptr<Connection>> silent;
  for (int i = 0; i < 64; ++i) silent.push_back(std::make_unique<Connection>(server->port()));
  EXPECT_THAT(Connection(server->port()).Send("GET /healthz HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServerTest, AnAddressInUseIsNamed) {
  const auto server = StartServer();
  const std::string address = "127.0.0.1:" + std::to_string(server->port());
  const auto second = HttpServer::Start(address, {});
  EXPECT_EQ(base::GetErrorInfo(second.status()).reason, "ADDRESS_NOT_BOUND");
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address));
}

TEST(AddressTest, ParsesHostsAndPorts) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:80")->port, 80);
  EXPECT_EQ(ParseHostPort("[::1]:8080")->host, "::1");
  for (const char* bad : {"", "host", ":80", "host:", "host:x", "host:65536", "host:-1", "::1:80"}) {
    EXPECT_EQ(base::GetErrorInfo(ParseHostPort(bad).status()).reason, "ADDRESS_INVALID") << bad;
  }
  EXPECT_TRUE(IsLoopback("127.1.2.3"));
  EXPECT_FALSE(IsLoopback("0.0.0.0"));
}

}  // namespace
}  // namespace sightline::server
