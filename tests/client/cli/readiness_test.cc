// AskReady against listeners that answer well, badly and not at all.
#include "client/cli/readiness.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/cli/run.h"

namespace sightline::cli {
namespace {

using ::testing::HasSubstr;

// Listens on loopback; one connection is sent `answer`, and closed unless it is to hang.
class Listener {
 public:
  explicit Listener(std::string answer, bool hang = false) : listening_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listening_, 1), 0);
    EXPECT_EQ(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer), hang] {
      const int connection = ::accept(listening_, nullptr, nullptr);
      if (connection < 0) return;
      char request[512];
      const ssize_t got = ::recv(connection, request, sizeof(request), 0);
      request_.assign(request, got > 0 ? static_cast<size_t>(got) : 0);
      // A caller that has read enough closes before it has all of a long answer.
      (void)::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
      // Until the caller gives up and closes.
      while (hang && ::recv(connection, request, sizeof(request), 0) > 0) continue;
      ::close(connection);
    });
  }
  ~Listener() {
    Join();
    ::close(listening_);
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  // What was asked.
  std::string Join() {
    ::shutdown(listening_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    return request_;
  }

 private:
  const int listening_;
  int port_ = 0;
  std::thread thread_;
  std::string request_;
};

TEST(ReadinessTest, AReadyServerIsReady) {
  Listener listener("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n");
  EXPECT_TRUE(AskReady(listener.address(), absl::Seconds(20)).ok());
  EXPECT_EQ(listener.Join(), absl::StrCat("GET /readyz HTTP/1.0\r\nHost: ", listener.address(), "\r\n\r\n"));
}

TEST(ReadinessTest, OneThatStartsIsNot) {
  Listener listener("HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready\n");
  const absl::Status status = AskReady(listener.address(), absl::Seconds(20));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not ready"));
}

TEST(ReadinessTest, WhatIsNoServerIsToldApart) {
  for (const std::string& answer :
       {std::string("HTTP/1.1 404 Not Found\r\n\r\n"), std::string("SSH-2.0-OpenSSH\r\n"), std::string(),
        std::string("HTTP/1.1 2"), std::string("HTTP/1.1200 OK\r\n"), std::string("HTTP/1.1 abc\r\n"),
        std::string("HTTP/1.1 -20\r\n"), std::string(100'000, 'x'), std::string(400, '\0')}) {
    Listener listener(answer);
    const absl::Status status = AskReady(listener.address(), absl::Seconds(20));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << answer.substr(0, 40);
  }
}

TEST(ReadinessTest, OneThatHangsIsGivenUp) {
  for (const char* begin : {"", "HTTP/1.1 20"}) {
    Listener listener(begin, /*hang=*/true);
    EXPECT_EQ(AskReady(listener.address(), absl::Milliseconds(50)).code(), absl::StatusCode::kDeadlineExceeded);
  }
}

TEST(ReadinessTest, NothingThereIsSaidInWords) {
  std::string address;
  {
    Listener listener("");
    address = listener.address();
  }
  const absl::Status status = AskReady(address, absl::Seconds(20));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Connection refused"));
}

TEST(ReadinessTest, AnAddressMustBeOne) {
  for (const char* address : {"", "127.0.0.1", ":8080", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x",
                              "127.0.0.1:-1", "127.0.0.1:99999999999999999999"}) {
    EXPECT_EQ(AskReady(address, absl::Seconds(1)).code(), absl::StatusCode::kInvalidArgument) << address;
  }
}

TEST(ReadinessTest, TheVerbSaysItByItsExitCode) {
  Listener listener("HTTP/1.1 200 OK\r\n\r\n");
  StringSink out;
  StringSink err;
  Context context{.out = out, .err = err, .clock = base::Clock::Real()};
  EXPECT_EQ(cli::Run(context, {"ready", listener.address()}), kOk) << err.text();
  EXPECT_THAT(out.text(), HasSubstr("is ready"));
  EXPECT_EQ(cli::Run(context, {"ready", "127.0.0.1"}), kUsage);
  EXPECT_EQ(cli::Run(context, {"ready", "a:1", "b:2"}), kUsage);
}

}  // namespace
}  // namespace sightline::cli
