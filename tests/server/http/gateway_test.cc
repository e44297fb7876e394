// The gateway over a stand-in for the server: what it holds while a stream's body comes, what it says of
// it, and that a call ends with its caller.
#include "server/http/gateway.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "sightline/v1/search_service.pb.h"
#include "tests/support/http_client.h"
#include "tests/support/stub_api.h"

namespace sightline::server {
namespace {

using sightline::testing::HttpAnswer;
using sightline::testing::HttpClient;
using sightline::testing::StubApi;
using sightline::testing::StubGateway;

constexpr char kStreamHead[] =
    "POST /v1/searches:stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

std::string Chunk(const std::string& text) { return absl::StrFormat("%x\r\n%s\r\n", text.size(), text); }

bool Await(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

Limits Small() {
  Limits limits;
  limits.max_message_bytes = 1 << 16;
  limits.grpc_memory_bytes = 0;  // as much as one body takes: a little more than 1 MiB
  return limits;
}

// An answer of a stream of searches with so many bytes of text in it.
std::string LongAnswer(size_t bytes) {
  v1::SearchStreamResponse answer;
  answer.set_request_id(std::string(bytes, 'x'));
  return answer.SerializeAsString();
}

TEST(GatewayTest, AStreamGivesBackWhatItsLinesTook) {
  StubGateway world(Small(), [](const StubApi::Message&) { return LongAnswer(1); });
  HttpClient http(world.port());
  http.Send(kStreamHead);
  // Ten times what there is room for, in lines that say nothing, and one that does.
  const std::string blank(1 << 16, '\n');
  for (int i = 0; i < 180; ++i) ASSERT_TRUE(http.Send(Chunk(blank)));
  http.Send(Chunk("{}\r\n\r\n"));
  EXPECT_TRUE(Await([&] { return world.api().messages() == 1; }));
  EXPECT_LT(world.gateway().budget().held(), 1000) << "the one answer";
  http.Send("0\r\n\r\n");
  const HttpAnswer answer = http.Read();
  EXPECT_EQ(answer.code, 200);
  EXPECT_EQ(std::count(answer.body.begin(), answer.body.end(), '\n'), 1) << answer.body;
  EXPECT_TRUE(Await([&] { return world.gateway().budget().held() == 0; }));
}

TEST(GatewayTest, AnswersThatWaitForTheEndOfTheBodyAreCounted) {
  constexpr size_t kAnswer = 100'000;
  StubGateway world(Small(), [](const StubApi::Message&) { return LongAnswer(kAnswer); });
  HttpClient http(world.port());
  http.Send(kStreamHead);
  for (int i = 0; i < 40; ++i) http.Send(Chunk("{}\n"));
  EXPECT_TRUE(Await([&] { return world.api().ended() == 1; })) << "4 MB fit into 1 MB";
  EXPECT_LE(world.gateway().budget().held(), world.gateway().budget().limit());
  http.Send("0\r\n\r\n");
  const HttpAnswer answer = http.Read();
  EXPECT_EQ(answer.code, 200) << "what fitted is answered";
  EXPECT_GT(answer.body.size(), kAnswer);
  const std::vector<std::string> lines = absl::StrSplit(answer.body, '\n', absl::SkipEmpty());
  EXPECT_EQ(nlohmann::json::parse(lines.back())["error"]["details"][0]["reason"], "BODIES_FULL") << lines.back();
  EXPECT_TRUE(Await([&] { return world.gateway().budget().held() == 0; }));
}

TEST(GatewayTest, ACallerWhoLeavesEndsItsCall) {
  StubGateway world(Small(), [](const StubApi::Message&) { return LongAnswer(1); });
  {
    // The body has not ended, so the stream waits.
    HttpClient leaver(world.port());
    leaver.Send(kStreamHead);
    leaver.Send(Chunk("{}\n"));
    EXPECT_TRUE(Await([&] { return world.api().messages() == 1; }));
    EXPECT_EQ(world.api().ended(), 0);
  }
  EXPECT_TRUE(Await([&] { return world.api().ended() == 1; }));
  EXPECT_TRUE(Await([&] { return world.gateway().budget().held() == 0; }));
}

}  // namespace
}  // namespace sightline::server
