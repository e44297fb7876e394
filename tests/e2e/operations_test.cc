// Long work over gRPC: optimise with its progress and its result, and what a restart leaves of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

using ::testing::HasSubstr;

using OperationsE2eTest = ServerFixture;

TEST_F(OperationsE2eTest, OptimizeEndsWithTheCollection) {
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(client_->Index(NewImage(absl::StrCat("x", i), {1, static_cast<float>(i), 2, 3})).ok());
  }
  v1::DeleteImagesRequest remove;
  remove.set_collection("v");
  for (int i = 0; i < 40; ++i) remove.add_ids(absl::StrCat("x", i));
  ASSERT_TRUE(client_->DeleteImages(remove).ok());
  v1::OptimizeCollectionRequest request;
  request.set_name("v");
  const auto started = client_->OptimizeCollection(request);
  ASSERT_TRUE(started.ok()) << started.status();
  const v1::Operation ended = WaitForEnd(*client_, started->name());
  EXPECT_EQ(ended.state(), v1::Operation::STATE_SUCCEEDED) << ended.ShortDebugString();
  EXPECT_EQ(ended.kind(), "optimize");
  EXPECT_EQ(ended.collection(), "v");
  EXPECT_GE(ended.end_time().seconds(), ended.create_time().seconds());
  v1::Collection collection;
  ASSERT_TRUE(ended.result().UnpackTo(&collection));
  EXPECT_EQ(collection.stats().images(), 2);
  EXPECT_EQ(collection.stats().deleted_images(), 0) << "what was deleted is gone";

  v1::ListOperationsRequest list;
  list.set_collection("v");
  list.set_page_size(1);
  const auto page = client_->ListOperations(list);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->operations_size(), 1);
  EXPECT_EQ(page->operations(0).name(), started->name()) << "newest first";
  EXPECT_EQ(client_->CancelOperation(started->name())->state(), v1::Operation::STATE_SUCCEEDED) << "it has ended";
}

TEST_F(OperationsE2eTest, AugmentationChangesScoresAndCanBeUndone) {
  ASSERT_TRUE(client_->Index(NewImage("c", {1, 1, 0, 0})).ok());
  const v1::SearchRequest search = NewSearch({1, 0, 0, 0});
  const v1::SearchResponse before = *client_->Search(search);
  ASSERT_EQ(before.results_size(), 3);
  EXPECT_EQ(before.results(0).id(), "a");
  EXPECT_NEAR(before.results(0).score(), 1, 1e-6);
  v1::OptimizeCollectionRequest request;
  request.set_name("v");
  request.set_augment_neighbours(1);
  request.set_augment_alpha(0);
  EXPECT_EQ(WaitForEnd(*client_, client_->OptimizeCollection(request)->name()).state(), v1::Operation::STATE_SUCCEEDED);
  const v1::SearchResponse augmented = *client_->Search(search);
  ASSERT_EQ(augmented.results_size(), 3);
  EXPECT_EQ(augmented.results(0).id(), "a");
  EXPECT_NEAR(augmented.results(0).score(), std::cos(M_PI / 8), 1e-3) << "it lies half-way to its neighbour c now";
  request.set_augment_neighbours(0);
  EXPECT_EQ(WaitForEnd(*client_, client_->OptimizeCollection(request)->name()).state(), v1::Operation::STATE_SUCCEEDED);
  const v1::SearchResponse after = *client_->Search(search);
  ASSERT_EQ(after.results_size(), before.results_size());
  for (int i = 0; i < after.results_size(); ++i) {
    EXPECT_EQ(after.results(i).id(), before.results(i).id());
    EXPECT_NEAR(after.results(i).score(), before.results(i).score(), 1e-6);
  }
  v1::DeleteImagesRequest remove;
  remove.set_collection("v");
  remove.add_ids("c");
  EXPECT_EQ(client_->DeleteImages(remove)->deleted(), 1);
}

TEST(OperationsRestartTest, EndedOnesAreListedAfterARestartAndADamagedFileIsSetAside) {
  TempFolder folder;
  std::string name;
  {
    auto server = *ServerProcess::Start({.folder = folder.path()});
    auto client = *client::Client::Connect({.address = server->address()});
    ASSERT_TRUE(client->CreateCollection(NewCollection("v")).ok());
    v1::OptimizeCollectionRequest request;
    request.set_name("v");
    name = client->OptimizeCollection(request)->name();
    EXPECT_EQ(server->Terminate(), 0);
  }
  std::string file;
  {
    auto server = *ServerProcess::Start({.folder = folder.path()});
    auto client = *client::Client::Connect({.address = server->address()});
    const auto operation = client->GetOperation(name);
    ASSERT_TRUE(operation.ok()) << operation.status();
    // Ended before the restart, or begun again after it.
    for (int i = 0; i < 2000 && client->GetOperation(name)->state() != v1::Operation::STATE_SUCCEEDED; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(client->GetOperation(name)->state(), v1::Operation::STATE_SUCCEEDED);
    server->Kill();
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (entry.path().filename() == "operations") file = entry.path().string();
  }
  ASSERT_FALSE(file.empty());
  std::ofstream(file, std::ios::binary) << "garbage";
  auto server = *ServerProcess::Start({.folder = folder.path()});
  auto client = *client::Client::Connect({.address = server->address()});
  EXPECT_TRUE(absl::IsNotFound(client->GetOperation(name).status()));
  const auto info = client->GetServerInfo();
  ASSERT_TRUE(info.ok());
  EXPECT_THAT(absl::StrCat(info->warnings_size() > 0 ? info->warnings(0) : ""), HasSubstr("operations.damaged-"));
  EXPECT_TRUE(client->GetCollection("v").ok()) << "the collections are served";
  EXPECT_EQ(server->Terminate(), 0);
}

// Whether the stop comes before the work, within it or after it, the operation ends well in the end.
TEST(OperationsRestartTest, AnInterruptedOptimizeIsBegunAgain) {
  TempFolder folder;
  constexpr int kBulkImages = 2000;
  std::string name;
  for (const bool gracefully : {true, false}) {
    SCOPED_TRACE(gracefully);
    {
      auto server = *ServerProcess::Start({.folder = folder.path()});
      auto client = *client::Client::Connect({.address = server->address()});
      if (gracefully) {
        v1::CreateCollectionRequest create = NewCollection("v", 32);
        create.mutable_settings()->set_index_kind(v1::CollectionSettings::INDEX_KIND_HNSW);
        create.mutable_settings()->set_hnsw_m(64);
        create.mutable_settings()->set_hnsw_ef_construction(1000);
        ASSERT_TRUE(client->CreateCollection(create).ok());
        std::mt19937 random(3);
        std::normal_distribution<float> normal;
        int next = 0;
        ASSERT_TRUE(client
                        ->IndexMany(
                            [&]() -> std::optional<v1::IndexRequest> {
                              if (next == kBulkImages) return std::nullopt;
                              std::vector<float> values(32);
                              for (float& value : values) value = normal(random);
                              return NewImage(absl::StrCat("i", next++), values);
                            },
                            [](const auto& outcome) { EXPECT_TRUE(outcome.status.ok()) << outcome.status; })
                        .ok());
      }
      v1::OptimizeCollectionRequest request;
      request.set_name("v");
      const auto started = client->OptimizeCollection(request);
      ASSERT_TRUE(started.ok()) << started.status();
      name = started->name();
      if (gracefully) {
        EXPECT_EQ(server->Terminate(), 0) << server->Log();
      } else {
        server->Kill();
      }
    }
    auto server = *ServerProcess::Start({.folder = folder.path()});
    auto client = *client::Client::Connect({.address = server->address()});
    v1::Operation operation;
    for (int i = 0; i < 6000 && operation.state() != v1::Operation::STATE_SUCCEEDED; ++i) {
      const auto now = client->GetOperation(name);
      ASSERT_TRUE(now.ok()) << now.status();
      operation = *now;
      ASSERT_NE(operation.state(), v1::Operation::STATE_FAILED) << operation.ShortDebugString();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(operation.state(), v1::Operation::STATE_SUCCEEDED) << operation.ShortDebugString();
    const v1::Collection collection = *client->GetCollection("v");
    EXPECT_EQ(collection.stats().images(), kBulkImages);
    EXPECT_EQ(collection.stats().graph_backlog(), 0) << "optimise finishes every graph";
    EXPECT_EQ(server->Terminate(), 0);
  }
}

TEST(BudgetTest, FlagsAreShownAndWritesBeyondTheBudgetAreRefused) {
  TempFolder folder;
  auto server = ServerProcess::Start(
      {.folder = folder.path(), .flags = {"--memory_budget=8M", "--build_threads=2", "--search_parallelism=3"}});
  ASSERT_TRUE(server.ok()) << server.status();
  auto client = *client::Client::Connect({.address = (*server)->address()});
  const v1::Limits limits = client->GetServerInfo()->limits();
  EXPECT_EQ(limits.memory_budget_bytes(), 8 << 20);
  EXPECT_EQ(limits.build_threads(), 2);
  EXPECT_EQ(limits.search_parallelism(), 3);
  v1::CreateCollectionRequest create = NewCollection("v", 4096);
  ASSERT_TRUE(client->CreateCollection(create).ok());
  absl::Status status;
  int written = 0;
  for (; written < 5000 && status.ok(); ++written) {
    std::vector<float> values(4096, 0.001f);
    values[static_cast<size_t>(written) % values.size()] = 1;
    status = client->Index(NewImage(absl::StrCat("i", written), values)).status();
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status << " after " << written;
  EXPECT_EQ(base::GetErrorInfo(status).reason, "MEMORY_BUDGET") << status;
  EXPECT_EQ((*server)->Terminate(), 0);
}

}  // namespace
}  // namespace sightline::testing
