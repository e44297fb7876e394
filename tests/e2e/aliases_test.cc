// Aliases over the wire: every request that says "name or alias", what is refused, a restart, and swaps under searches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

using ::testing::ElementsAre;

class AliasesTest : public ServerFixture {
 protected:
  using S = v1::CollectionService::Stub;
  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }
};

TEST_F(AliasesTest, StandWhereverACollectionIsNamed) {
  const auto set = client_->SetAlias("live", "v");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->name(), "v");
  EXPECT_THAT(set->aliases(), ElementsAre("live"));
  EXPECT_EQ(client_->GetCollection("live")->name(), "v");
  EXPECT_THAT(client_->GetCollection("v")->aliases(), ElementsAre("live"));
  EXPECT_THAT(client_->ListAllCollections()->front().aliases(), ElementsAre("live"));

  v1::SearchRequest search = NewSearch({1, 0, 0, 0});
  search.set_collection("live");
  EXPECT_EQ(client_->Search(search)->results(0).id(), "a");
  v1::IndexRequest index = NewImage("c", {0, 0, 1, 0});
  index.set_collection("live");
  EXPECT_TRUE(client_->Index(index).ok());
  v1::GetImageRequest get;
  get.set_collection("live");
  get.set_id("c");
  EXPECT_TRUE(client_->GetImage(get).ok());
  v1::DeleteImagesRequest remove;
  remove.set_collection("live");
  remove.add_ids("c");
  EXPECT_EQ(client_->DeleteImages(remove)->deleted(), 1);

  // Long work is the collection's own, whatever name it was asked by.
  v1::OptimizeCollectionRequest optimize;
  optimize.set_name("live");
  const auto operation = client_->OptimizeCollection(optimize);
  ASSERT_TRUE(operation.ok()) << operation.status();
  EXPECT_EQ(operation->collection(), "v");
  EXPECT_EQ(WaitForEnd(*client_, operation->name()).state(), v1::Operation::STATE_SUCCEEDED);
  v1::ListOperationsRequest operations;
  operations.set_collection("live");
  EXPECT_GE(client_->ListOperations(operations)->operations_size(), 1);
  const auto snapshot = client_->CreateSnapshot("live");
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(WaitForEnd(*client_, snapshot->name()).state(), v1::Operation::STATE_SUCCEEDED);
  EXPECT_EQ(client_->ListSnapshots("live")->size(), 1u);
  EXPECT_EQ(Reason(client_->DropOtherSpace("live")), "NO_OTHER_SPACE");

  // What would mislead is refused.
  EXPECT_EQ(Reason(client_->DeleteCollection("live").status()), "ALIAS_REFUSED");
  EXPECT_EQ(Reason(client_->CreateCollection(NewCollection("live")).status()), "ALIAS_EXISTS");
  EXPECT_EQ(Reason(client_->RestoreSnapshot(client_->ListSnapshots("live")->front().name(), "live").status()),
            "COLLECTION_EXISTS");
  EXPECT_EQ(Reason(client_->SetAlias("v", "v").status()), "COLLECTION_EXISTS");
  EXPECT_EQ(Reason(client_->SetAlias("x", "live").status()), "ALIAS_NOT_A_COLLECTION");
  EXPECT_EQ(Reason(client_->SetAlias("x", "nowhere").status()), "COLLECTION_NOT_FOUND");
  EXPECT_EQ(Reason(client_->SetAlias("", "v").status()), "FIELD_MISSING");
  EXPECT_EQ(Reason(client_->SetAlias("x", "").status()), "FIELD_MISSING");
  EXPECT_EQ(Reason(client_->SetAlias("A b", "v").status()), "ALIAS_INVALID");
  EXPECT_EQ(Reason(client_->SetAlias(std::string(100'000, 'a'), "v").status()), "ALIAS_INVALID");
  EXPECT_EQ(Reason(client_->DeleteAlias("v")), "ALIAS_NOT_FOUND");
  EXPECT_EQ(Reason(client_->DeleteAlias("")), "FIELD_MISSING");
  EXPECT_TRUE(client_->DeleteAlias("live").ok());
  EXPECT_EQ(Reason(client_->GetCollection("live").status()), "COLLECTION_NOT_FOUND");
}

// An alias is moved back and forth between two collections that answer differently, under searches.
TEST_F(AliasesTest, SwapsUnderSearches) {
  ASSERT_TRUE(client_->CreateCollection(NewCollection("w")).ok());
  v1::IndexRequest index = NewImage("w1", {1, 0, 0, 0});
  index.set_collection("w");
  ASSERT_TRUE(client_->Index(index).ok());
  ASSERT_TRUE(client_->SetAlias("live", "v").ok());
  std::atomic<bool> stop = false;
  std::atomic<int> old_ones = 0, new_ones = 0;
  std::vector<std::thread> searchers;
  for (int i = 0; i < 2; ++i) {
    searchers.emplace_back([&] {
      v1::SearchRequest search = NewSearch({1, 0, 0, 0});
      search.set_collection("live");
      while (!stop) {
        const auto found = client_->Search(search);
        ASSERT_TRUE(found.ok()) << found.status();
        const std::string& best = found->results(0).id();
        ASSERT_TRUE(best == "a" || best == "w1") << best;
        ++(best == "a" ? old_ones : new_ones);
      }
    });
  }
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(client_->SetAlias("live", i % 2 == 0 ? "w" : "v").ok());
  // A searcher that is slow to start still sees each of the two.
  for (const auto& [name, seen] : {std::pair("w", &new_ones), std::pair("v", &old_ones)}) {
    ASSERT_TRUE(client_->SetAlias("live", name).ok());
    for (int i = 0; i < 2000 && *seen == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  stop = true;
  for (std::thread& searcher : searchers) searcher.join();
  EXPECT_GT(old_ones, 0);
  EXPECT_GT(new_ones, 0);
  // They go with their collection.
  ASSERT_TRUE(client_->SetAlias("live", "w").ok());
  EXPECT_EQ(*client_->DeleteCollection("w"), 1);
  EXPECT_EQ(Reason(client_->GetCollection("live").status()), "COLLECTION_NOT_FOUND");
  EXPECT_TRUE(client_->GetCollection("v")->aliases().empty());
}

TEST(AliasesRestartTest, StayOverAKill) {
  TempFolder folder;
  auto server = *ServerProcess::Start({.folder = folder.path()});
  {
    const auto client = *client::Client::Connect({.address = server->address()});
    ASSERT_TRUE(client->CreateCollection(NewCollection("v")).ok());
    ASSERT_TRUE(client->SetAlias("live", "v").ok());
  }
  server->Kill();
  server = *ServerProcess::Start({.folder = folder.path()});
  const auto client = *client::Client::Connect({.address = server->address()});
  EXPECT_EQ(client->GetCollection("live")->name(), "v");
  EXPECT_EQ(server->Terminate(), 0) << server->Log();
}

}  // namespace
}  // namespace sightline::testing
