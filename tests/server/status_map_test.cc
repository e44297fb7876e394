#include "server/rpc/status_map.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "google/rpc/error_details.pb.h"

namespace sightline::server {
namespace {

TEST(StatusMapTest, CarriesReasonFactsAndDelay) {
  const grpc::Status status = ToGrpcStatus(base::RetryableError(
      absl::StatusCode::kResourceExhausted, "QUEUE_FULL", "full. Wait.", absl::Milliseconds(1500), {{"limit", "64"}}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "full. Wait.");
  google::rpc::Status rpc;
  ASSERT_TRUE(rpc.ParseFromString(status.error_details()));
  ASSERT_EQ(rpc.details_size(), 2);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(rpc.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "QUEUE_FULL");
  EXPECT_EQ(info.domain(), "sightline.dev");
  EXPECT_EQ(info.metadata().at("limit"), "64");
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(rpc.details(1).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

TEST(StatusMapTest, CallersBytesCannotBreakTheMessage) {
  const google::rpc::Status rpc = ToRpcStatus(base::InvalidArgument(
      "BAD", std::string("id \xFF\n") + std::string(10'000, 'x'), {{"id", std::string("\xC0\x80", 2)}}));
  EXPECT_EQ(rpc.message().substr(0, 5), "id ??");
  EXPECT_LE(rpc.message().size(), 2048u);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(rpc.details(0).UnpackTo(&info));
  EXPECT_EQ(info.metadata().at("id"), "??");
}

TEST(StatusMapTest, OkIsOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_EQ(ToRpcStatus(absl::OkStatus()).details_size(), 0);
}

}  // namespace
}  // namespace sightline::server
