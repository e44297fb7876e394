#include "client/cpp/rpc_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "client/cpp/retry.h"
#include "tests/client/support/fake_server.h"

namespace sightline::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

const CallSite kSite = {"127.0.0.1:50051", absl::Seconds(10)};

TEST(RpcStatusTest, KeepsTheServersWordsReasonFactsAndDelay) {
  const grpc::Status sent = testing::ToGrpc(
      base::RetryableError(absl::StatusCode::kResourceExhausted, "QUEUE_FULL", "the queue is full (256). Try again.",
                           absl::Milliseconds(1500), {{"limit", "256"}, {"actual", "257"}}));
  const absl::Status status = FromCall(sent.error_code(), sent.error_message(), sent.error_details(), kSite);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "the queue is full (256). Try again.");
  const base::ErrorInfo info = base::GetErrorInfo(status);
  EXPECT_EQ(info.reason, "QUEUE_FULL");
  EXPECT_THAT(info.facts, ElementsAre(Pair("actual", "257"), Pair("limit", "256")));
  ASSERT_TRUE(info.retry_after);
  EXPECT_EQ(*info.retry_after, absl::Milliseconds(1500));
}

TEST(RpcStatusTest, SaysWhatGrpcsOwnErrorsMean) {
  const absl::Status absent = FromCall(14,
                                       "failed to connect to all addresses; last error: UNKNOWN: ipv4:1.2.3.4:5: "
                                       "Failed to connect to remote host: Connection refused",
                                       "", kSite);
  EXPECT_EQ(absent.message(),
            "no server answers at 127.0.0.1:50051 (Connection refused). Start sightline-server, or give the address it "
            "listens on.");
  EXPECT_EQ(base::GetErrorInfo(absent).reason, "SERVER_UNREACHABLE");
  EXPECT_EQ(FromCall(4, "Deadline Exceeded", "", kSite).message(),
            "no answer from 127.0.0.1:50051 within 10s. Allow more time, or ask for less.");
  EXPECT_EQ(base::GetErrorInfo(FromCall(8, "Sent message larger than max (5 vs. 4)", "", kSite)).reason,
            "MESSAGE_TOO_LARGE");
  EXPECT_EQ(FromCall(1, "CANCELLED", "", kSite).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::GetErrorInfo(FromCall(12, "", "", kSite)).reason, "UNIMPLEMENTED");
}

TEST(RpcStatusTest, SaysWhatToDoAboutAServerOfAnotherKind) {
  const auto advice = [](const std::string& words) {
    return std::string(
        FromCall(14, "failed to connect to all addresses; last error: UNKNOWN: " + words, "", kSite).message());
  };
  EXPECT_THAT(advice("ipv4:1.2.3.4:5: Trying to connect an http1.x server"), HasSubstr("That is an HTTP address."));
  EXPECT_THAT(advice("Ssl handshake failed: SSL_ERROR_SSL: error:0A00010B:SSL routines::wrong version number"),
              HasSubstr("or none where the server is without TLS."));
  EXPECT_THAT(advice("Peer name 127.0.0.1 is not in peer certificate"), HasSubstr("Give the name that"));
  EXPECT_THAT(advice("ipv4:1.2.3.4:5: Connection refused"), HasSubstr("Start sightline-server"));
  EXPECT_THAT(std::string(FromCall(14, "Socket closed", "", kSite).message()), HasSubstr("wants TLS"));
  EXPECT_EQ(std::string(FromCall(14,
                                 "DNS resolution failed for no.host:1: C-ares status is not ARES_SUCCESS qtype=AAAA "
                                 "name=no.host is_balancer=0: Domain name not found",
                                 "", kSite)
                            .message()),
            "no server answers at 127.0.0.1:50051 (Domain name not found). Check the name of the host.");
}

TEST(RpcStatusTest, SurvivesGarbage) {
  EXPECT_EQ(FromCall(3, "words", "\xFF\xFF not a message", kSite).message(), "words");
  EXPECT_EQ(FromCall(99, "words", "", kSite).code(), absl::StatusCode::kUnknown);
  EXPECT_TRUE(FromCall(0, "", "", kSite).ok());
  EXPECT_TRUE(FromRpcStatus({}).ok());
}

TEST(RetryTest, KnowsWhatIsWorthAnotherAttempt) {
  EXPECT_TRUE(IsRetryable(absl::UnavailableError("")));
  EXPECT_TRUE(IsRetryable(absl::AbortedError("")));
  EXPECT_TRUE(IsRetryable(base::RetryableError(absl::StatusCode::kResourceExhausted, "R", "", absl::Seconds(1))));
  EXPECT_FALSE(IsRetryable(absl::ResourceExhaustedError("too large")));
  EXPECT_FALSE(IsRetryable(absl::InvalidArgumentError("")));
  EXPECT_FALSE(IsRetryable(absl::DeadlineExceededError("")));
  EXPECT_FALSE(IsRetryable(absl::OkStatus()));
}

TEST(RetryTest, WaitsLongerEachTimeAndNeverLessThanAsked) {
  const RetryPolicy policy = {
      .max_attempts = 8, .initial_backoff = absl::Milliseconds(100), .max_backoff = absl::Seconds(5)};
  const absl::Status plain = absl::UnavailableError("");
  EXPECT_EQ(Backoff(policy, 1, plain, 1), absl::Milliseconds(100));
  EXPECT_EQ(Backoff(policy, 3, plain, 1), absl::Milliseconds(400));
  EXPECT_EQ(Backoff(policy, 3, plain, 0.5), absl::Milliseconds(200));
  EXPECT_EQ(Backoff(policy, 1000, plain, 1), absl::Seconds(5));
  const absl::Status asked = base::RetryableError(absl::StatusCode::kUnavailable, "DRAINING", "", absl::Seconds(9));
  EXPECT_EQ(Backoff(policy, 1, asked, 0.5), absl::Seconds(9));
}

}  // namespace
}  // namespace sightline::client
