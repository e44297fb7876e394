// How a server comes up and goes down: what can be asked while it starts, and what a signal does at which time. A large
// model without weights takes it seconds to start, and as long for a few images.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/e2e/http_get.h"
#include "tests/e2e/picture.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> SlowModel() {
  return {"--model_root=" SIGHTLINE_ZOO, "--models=resnet50_gem", "--allow_untrained", "--warm_up=one",
          "--drain_grace=60s"};
}

void WaitUntilItServes(const ServerProcess& server) {
  for (int i = 0; i < 6000; ++i) {
    if (absl::StrContains(HttpGet(server.http_port(), "/readyz"), " 200 ")) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << "it does not get ready: " << server.Log();
}

TEST(StartTest, WhileItStartsItLivesIsNotReadyAndRefusesCalls) {
  TempFolder folder;
  auto server = ServerProcess::Start({.folder = folder.path(), .flags = SlowModel(), .wait_until_ready = false});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto client = *client::Client::Connect({.address = (*server)->address()});
  EXPECT_THAT(HttpGet((*server)->http_port(), "/healthz"), StartsWith("HTTP/1.1 200"));
  const std::string ready = HttpGet((*server)->http_port(), "/readyz");
  EXPECT_THAT(ready, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(ready, HasSubstr("resnet50_gem"));
  EXPECT_THAT(HttpGet((*server)->admin_port(), "/statusz"), HasSubstr("starting: "));
  EXPECT_THAT(HttpGet((*server)->admin_port(), "/metrics"), HasSubstr("sightline_serving 0"));
  const auto health = client->CheckHealth();
  ASSERT_TRUE(health.ok()) << health.status();
  EXPECT_EQ(*health, client::Health::kNotServing);
  const Rpc rpc((*server)->address());
  const absl::Status refused = Call(*rpc.server, &v1::ServerService::Stub::GetServerInfo, v1::GetServerInfoRequest());
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
  EXPECT_EQ(base::GetErrorInfo(refused).reason, "STARTING");
  EXPECT_FALSE(base::ReadFile(folder.path() + "/ports.json", 4096).ok())
      << "it was ready too early to be seen starting";

  WaitUntilItServes(**server);
  EXPECT_EQ(*client->CheckHealth(), client::Health::kServing);
  EXPECT_TRUE(client->GetServerInfo().ok());
  EXPECT_EQ((*server)->Terminate(), 0) << (*server)->Log();
}

// In any build and on any machine: no machine has a thousand cards.
TEST(StartTest, ACardThatIsNamedMustBeThere) {
  TempFolder folder;
  const auto start = [&](std::vector<std::string> flags) {
    return std::string(ServerProcess::Start({.folder = folder.path(), .flags = std::move(flags)}).status().message());
  };
  EXPECT_THAT(start({"--index_device=cuda:1000"}),
              AnyOf(HasSubstr("this build has no CUDA. Use a build that has"), HasSubstr("CUDA finds no card: "),
                    HasSubstr("there is no cuda:1000; this machine has")));
  EXPECT_FALSE(base::ReadFile(folder.path() + "/ports.json", 4096).ok()) << "it opened its ports";
  for (const char* device : {"gpu", "cuda", "cuda:", "cuda:x", "cuda:-1", "cuda:+1", "cuda:0,cuda:1", "cuda:1024"}) {
    EXPECT_THAT(start({absl::StrCat("--index_device=", device)}), HasSubstr("write cpu, auto, or cuda:N")) << device;
  }
  for (const char* flag : {"index_device_memory", "rerank_device_memory"}) {
    EXPECT_THAT(start({absl::StrCat("--", flag, "=1M")}),
                HasSubstr(absl::StrCat("--", flag, " is 1048576; it must be 0, or 16777216 or more. Correct it.")));
  }
}

TEST(StartTest, WithoutACardAnythingButANamedOneIsTheCpu) {
  for (const char* device : {"cpu", "none", "auto"}) {
    TempFolder folder;
    auto server = ServerProcess::Start({.folder = folder.path(), .flags = {absl::StrCat("--index_device=", device)}});
    ASSERT_TRUE(server.ok()) << server.status();
    const std::string page = HttpGet((*server)->admin_port(), "/statusz");
    // A machine for tests may have a card.
    const bool asked = device == std::string("auto");
    EXPECT_EQ(absl::StrContains(page, "index on the CPU: ") || absl::StrContains(page, "index on cuda:"), asked)
        << page;
    EXPECT_EQ(absl::StrContains((*server)->Log(), "the index uses "), asked);
    const auto client = client::Client::Connect({.address = (*server)->address()});
    ASSERT_TRUE(client.ok()) << client.status();
    const auto info = (*client)->GetServerInfo();
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->has_index_card(), asked) << info->index_card().DebugString();
    EXPECT_EQ(info->index_card().device().empty() != info->index_card().why_none().empty(), asked);
    EXPECT_EQ((*server)->Terminate(), 0) << (*server)->Log();
  }
}

TEST(StartTest, ARequestToEndWhileItStartsIsDoneAtOnce) {
  TempFolder folder;
  auto server = ServerProcess::Start({.folder = folder.path(), .flags = SlowModel(), .wait_until_ready = false});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->Terminate(), 0);
  EXPECT_THAT((*server)->Log(), HasSubstr("stopped while starting"));
  EXPECT_THAT((*server)->Log(), Not(HasSubstr("\"serving\"")));
}

TEST(StartTest, ASecondRequestToEndDropsWhatIsInHand) {
  TempFolder folder;
  std::vector<std::string> flags = SlowModel();
  flags.emplace_back("--max_batch=1");
  flags.emplace_back("--max_queue_delay=10s");  // they wait, and are not refused
  auto server = ServerProcess::Start({.folder = folder.path(), .flags = flags});
  ASSERT_TRUE(server.ok()) << server.status();
  // More images than it can embed within the test, so that the drain has something to wait for.
  const std::string picture = NoisePicture(1, 1000, 1000);
  const Rpc rpc((*server)->address());  // connected before the server ends
  ASSERT_TRUE(Call(*rpc.server, &v1::ServerService::Stub::GetServerInfo, v1::GetServerInfoRequest()).ok());
  std::vector<std::thread> callers;
  for (int i = 0; i < 24; ++i) {
    callers.emplace_back([&server, &picture] {
      const auto client = *client::Client::Connect({.address = (*server)->address()});
      v1::EmbedRequest request;
      request.set_image(picture);
      client->Embed(request).IgnoreError();
    });
  }
  while ((*server)->Metric("sightline_requests_in_flight") == 0) {
    ASSERT_TRUE((*server)->Running());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  (*server)->AskToEnd();
  while (!absl::StrContains((*server)->Log(), "draining")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // Who comes meanwhile is told so, and can be found in the log. The line comes a moment before the drain.
  absl::Status refused;
  do {
    grpc::ClientContext context;
    Rpc::SetDeadline(context);
    v1::GetServerInfoResponse reply;
    refused = Rpc::Decode(rpc.server->GetServerInfo(&context, {}, &reply));
    EXPECT_TRUE(context.GetServerInitialMetadata().contains("x-request-id")) << refused;
  } while (refused.ok());
  EXPECT_EQ(base::GetErrorInfo(refused).reason, "DRAINING") << refused;
  grpc::ClientContext context;
  Rpc::SetDeadline(context);
  const auto stream = rpc.search->SearchStream(&context);
  v1::SearchStreamResponse nothing;
  EXPECT_FALSE(stream->Read(&nothing));
  const absl::Status late = Rpc::Decode(stream->Finish());
  EXPECT_EQ(base::GetErrorInfo(late).reason, "DRAINING") << late;
  EXPECT_TRUE(context.GetServerInitialMetadata().contains("x-request-id"));
  (*server)->AskToEnd();
  EXPECT_EQ((*server)->WaitForEnd(), 1);
  EXPECT_THAT((*server)->Log(), HasSubstr("asked to end a second time"));
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace sightline::testing
