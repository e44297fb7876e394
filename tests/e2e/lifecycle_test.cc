// How the server ends and comes back: drain on SIGTERM, and request_ids remembered over a restart.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/e2e/rpc.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

TEST(LifecycleTest, DrainEndsWhatIsInHandAndExitsWith0) {
  TempFolder folder;
  auto server = *ServerProcess::Start({.folder = folder.path()});
  const auto client = *client::Client::Connect({.address = server->address()});
  ASSERT_TRUE(client->CreateCollection(NewCollection("v")).ok());
  // Streams without end, to be interrupted by the drain: no item may be left without an outcome, none that was
  // acknowledged may be missing afterwards.
  std::atomic<int> acknowledged = 0;
  int sent = 0;
  int told = 0;
  std::thread writer([&] {
    client::IndexManyOptions options;
    options.patience = absl::ZeroDuration();  // the first break ends it
    const auto summary = client->IndexMany(
        [&]() -> std::optional<v1::IndexRequest> {
          ++sent;
          return NewImage(absl::StrCat(sent), {1, static_cast<float>(sent), 0, 0});
        },
        [&](const client::ItemOutcome& outcome) {
          ++told;
          if (outcome.status.ok()) {
            ++acknowledged;
          } else {
            EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnavailable) << outcome.status;
          }
        },
        options);
    EXPECT_EQ(summary.status().code(), absl::StatusCode::kUnavailable);
  });
  while (acknowledged < 20) std::this_thread::yield();
  server->AskToEnd();
  writer.join();
  EXPECT_EQ(server->WaitForEnd(), 0) << server->Log();
  EXPECT_EQ(told, sent);

  server = *ServerProcess::Start({.folder = folder.path()});
  const auto again = *client::Client::Connect({.address = server->address()});
  EXPECT_GE(again->GetCollection("v")->stats().images(), acknowledged);
  EXPECT_EQ(server->Terminate(), 0);
}

TEST(LifecycleTest, HealthSaysNotServingWhileDraining) {
  TempFolder folder;
  auto server = *ServerProcess::Start({.folder = folder.path(), .flags = {"--drain_grace=20s"}});
  const auto client = *client::Client::Connect({.address = server->address()});
  EXPECT_EQ(*client->CheckHealth(), client::Health::kServing);
  // An idle connection must not hold up the end, and a new call must be refused as one that may be tried again.
  server->AskToEnd();
  for (auto health = client->CheckHealth(); health.ok(); health = client->CheckHealth()) {
    if (*health == client::Health::kNotServing) break;
  }
  const auto info = client->GetServerInfo();
  if (!info.ok()) {
    EXPECT_EQ(info.status().code(), absl::StatusCode::kUnavailable) << info.status();
  }
  EXPECT_EQ(server->WaitForEnd(), 0) << server->Log();
  EXPECT_EQ(client->GetServerInfo().status().code(), absl::StatusCode::kUnavailable);
}

// Whatever a call meets: what is in hand, a refusal, an address that is closed, a connection that ends.
TEST(LifecycleTest, WhoCallsWhileTheServerEndsIsAnsweredOrToldToTryAgain) {
  for (int round = 0; round < 3; ++round) {
    TempFolder folder;
    auto server = *ServerProcess::Start({.folder = folder.path(), .flags = {"--drain_grace=20s"}});
    std::atomic<bool> over = false;
    std::atomic<int> answered = 0;
    std::vector<std::thread> callers;
    for (int c = 0; c < 6; ++c) {
      callers.emplace_back([&] {
        Rpc rpc(server->address());
        while (!over) {
          grpc::ClientContext context;
          Rpc::SetDeadline(context);
          v1::GetServerInfoResponse reply;
          const grpc::Status status = rpc.server->GetServerInfo(&context, {}, &reply);
          if (status.ok()) ++answered;
          EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE)
              << status.error_code() << " " << status.error_message();
        }
      });
    }
    while (answered < 100) std::this_thread::yield();
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(server->Terminate(), 0) << server->Log();
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15)) << "nothing is left to wait for";
    over = true;
    for (std::thread& caller : callers) caller.join();
  }
}

TEST(LifecycleTest, ARequestIdIsRememberedOverARestart) {
  TempFolder folder;
  auto server = *ServerProcess::Start({.folder = folder.path()});
  auto client = *client::Client::Connect({.address = server->address()});
  ASSERT_TRUE(client->CreateCollection(NewCollection("v")).ok());
  auto write = NewImage("a", {1, 0, 0, 0});
  write.set_request_id("once");
  EXPECT_EQ(client->Index(write)->revision(), 1);
  for (const bool killed : {false, true}) {
    if (killed) {
      server->Kill();
    } else {
      EXPECT_EQ(server->Terminate(), 0);
    }
    server = *ServerProcess::Start({.folder = folder.path()});
    client = *client::Client::Connect({.address = server->address()});
    const auto repeated = client->Index(write);
    ASSERT_TRUE(repeated.ok()) << repeated.status();
    EXPECT_TRUE(repeated->replayed());
    EXPECT_EQ(repeated->revision(), 1);
    EXPECT_EQ(repeated->id(), "a");
    EXPECT_EQ(client->GetCollection("v")->stats().images(), 1);
  }
  EXPECT_EQ(server->Terminate(), 0);
}

TEST(LifecycleTest, TwoServersNeverShareADataFolder) {
  TempFolder folder;
  const auto first = ServerProcess::Start({.folder = folder.path()});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = ServerProcess::Start({.folder = folder.path()});
  EXPECT_FALSE(second.ok());
  EXPECT_TRUE((*first)->Running());
}

}  // namespace
}  // namespace sightline::testing
