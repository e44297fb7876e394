#include "server/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "server/http/address.h"
#include "server/http/pages.h"
#include "tests/support/http_client.h"

namespace sightline::server {
namespace {

using sightline::testing::HttpAnswer;
using sightline::testing::HttpClient;
using ::testing::HasSubstr;

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() {
    auto server = HttpServer::Start({.address = "127.0.0.1:0"}, &pages_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  Pages pages_{{{"/healthz", [] { return HttpReply{.body = "ok\n"}; }}}};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersItsRoutes) {
  HttpClient client(server_->port());
  const HttpAnswer answer = client.Get("/healthz");
  EXPECT_EQ(answer.code, 200);
  EXPECT_EQ(answer.body, "ok\n");
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(client.Call("HEAD", "/healthz").headers.at("content-length"), "3");
}

TEST_F(HttpServerTest, RefusesOtherPathsMethodsAndNonsense) {
  HttpClient client(server_->port());
  EXPECT_EQ(client.Get("/../etc/passwd").code, 404);
  const HttpAnswer refused = client.Call("POST", "/healthz", "abc");
  EXPECT_EQ(refused.code, 405);
  EXPECT_EQ(refused.headers.at("allow"), "GET, HEAD");
  EXPECT_EQ(client.Get("/healthz").code, 200) << "the body was read, and the connection lives";
  // What is no HTTP at all gets no answer, or a refusal once the time-out has passed; nobody need wait for it.
  HttpClient nonsense(server_->port());
  nonsense.Send("\xFF\x01 nonsense\r\n\r\n");
  EXPECT_NE(HttpClient(server_->port()).Get("/healthz", {"X: " + std::string(100'000, 'x')}).code, 200);
  EXPECT_EQ(HttpClient(server_->port()).Get("/healthz").code, 200);
}

TEST_F(HttpServerTest, SilentConnectionsDoNotSilenceOthers) {
  std::vector<std::unique_ptr<HttpClient>> silent;
  for (int i = 0; i < 64; ++i) silent.push_back(std::make_unique<HttpClient>(server_->port()));
  EXPECT_EQ(HttpClient(server_->port()).Get("/healthz").code, 200);
}

// A byte now and then is no reason to keep a connection.
TEST(HttpServerTimesTest, HeadersHaveTheirTime) {
  Pages pages({{"/healthz", [] { return HttpReply{.body = "ok\n"}; }}});
  const auto server = HttpServer::Start({.address = "127.0.0.1:0", .head_time = absl::Seconds(1)}, &pages);
  ASSERT_TRUE(server.ok()) << server.status();
  HttpClient slow((*server)->port());
  EXPECT_TRUE(slow.Send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "));
  bool closed = false;
  for (int i = 0; i < 200 && !closed; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    closed = !slow.Send("x");
  }
  EXPECT_TRUE(closed);
  EXPECT_EQ(HttpClient((*server)->port()).Get("/healthz").code, 200);
}

TEST(HttpServerTimesTest, AnswersAreTakenInTime) {
  constexpr size_t kBody = 64 << 20;
  constexpr size_t kPiece = 64 << 10;
  Pages pages({{"/large", [] { return HttpReply{.body = std::string(kBody, 'x')}; }}});
  const auto server = HttpServer::Start(
      {.address = "127.0.0.1:0", .body_time = absl::Seconds(1), .reply_rate = int64_t{1} << 30}, &pages);
  ASSERT_TRUE(server.ok()) << server.status();
  HttpClient slow((*server)->port());
  const int little = kPiece;
  setsockopt(slow.fd(), SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
  EXPECT_TRUE(slow.Send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  // It would take twenty seconds in all, and never rests for longer than the listener bears.
  size_t taken = 0;
  std::string piece(kPiece, '\0');
  for (ssize_t got; taken < kBody && (got = recv(slow.fd(), piece.data(), piece.size(), MSG_WAITALL)) > 0;) {
    taken += static_cast<size_t>(got);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_LT(taken, kBody);
}

TEST_F(HttpServerTest, AnAddressInUseIsNamed) {
  const std::string address = "127.0.0.1:" + std::to_string(server_->port());
  const auto second = HttpServer::Start({.address = address}, &pages_);
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
