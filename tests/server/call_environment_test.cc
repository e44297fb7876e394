#include "server/rpc/call_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/status.h"

namespace sightline::server {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class CallEnvironmentTest : public ::testing::Test {
 protected:
  CallEnvironmentTest() {
    limits_.grpc_memory_bytes = 1000;
    environment_.AcceptCalls();
  }

  struct Entered {
    absl::Status status;
    RequestPtr request;
  };
  Entered Enter(int64_t message_bytes) {
    grpc::ServerContext context;
    Entered entered{.status = {}, .request = environment_.MakeRequest(context)};
    entered.status = environment_.Enter(method_, &context, "shop", message_bytes, entered.request.get());
    return entered;
  }
  void Leave(const Entered& entered) { environment_.Leave(method_, *entered.request, absl::OkStatus()); }

  Limits limits_;
  Metrics metrics_;
  const CallMethod method_{
      .name = "IndexService/Index", .access = Access::kWrite, .metrics = metrics_.AddMethod("IndexService/Index")};
  CallEnvironment environment_{base::Clock::Real(), limits_, metrics_};
};

TEST_F(CallEnvironmentTest, RequestsInHandAreBoundedByTheirBytes) {
  std::vector<Entered> in_hand;
  for (int i = 0; i < 4; ++i) {
    in_hand.push_back(Enter(250));
    ASSERT_TRUE(in_hand.back().status.ok()) << in_hand.back().status;
  }
  const absl::Status refused = Enter(1).status;
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  const base::ErrorInfo info = base::GetErrorInfo(refused);
  EXPECT_EQ(info.reason, "MESSAGES_FULL");
  EXPECT_THAT(info.facts, UnorderedElementsAre(Pair("actual", "1001"), Pair("limit", "1000")));
  EXPECT_TRUE(info.retry_after.has_value());
  EXPECT_NE(metrics_.Text().find("sightline_rejected_total{reason=\"message_memory\"} 1"), std::string::npos);
  // What was refused holds nothing, and what has left neither.
  Leave(in_hand.back());
  in_hand.back() = Enter(250);
  EXPECT_TRUE(in_hand.back().status.ok()) << in_hand.back().status;
  for (const Entered& entered : in_hand) Leave(entered);
}

TEST_F(CallEnvironmentTest, OneAloneIsNeverRefusedForItsBytes) {
  const Entered alone = Enter(5000);
  EXPECT_TRUE(alone.status.ok()) << alone.status;
  Leave(alone);
}

TEST_F(CallEnvironmentTest, StreamsLeaveHalfOfTheMemoryToOthers) {
  EXPECT_TRUE(environment_.RoomToReadOn());
  const Entered small = Enter(499);
  EXPECT_TRUE(environment_.RoomToReadOn());
  const Entered last = Enter(1);
  EXPECT_FALSE(environment_.RoomToReadOn());
  Leave(last);
  EXPECT_TRUE(environment_.RoomToReadOn());
  Leave(small);
}

}  // namespace
}  // namespace sightline::server
