// A whole server in this process whose card is none: its rows are compared there, its shortlists go there, its pages
// say so, and a collection that is kept off the card is off it after a restart too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "client/cpp/client.h"
#include "index/database.h"
#include "server/app.h"
#include "server/convert.h"
#include "tests/e2e/http_get.h"
#include "tests/index/fake_card.h"
#include "tests/index/index_fixture.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {
namespace {

using ::testing::HasSubstr;

constexpr int kRowDim = 4;
// One that is sealed, as soon as it is full, and a few in the tail.
constexpr int kChunkRows = 32'768;
constexpr int kRows = kChunkRows + 100;
constexpr int kTogether = 4000;

// Counts what it is asked, and leaves it to the CPU.
class CountingTransport : public index::rerank::TransportDevice {
 public:
  explicit CountingTransport(std::shared_ptr<std::atomic<int>> calls) : calls_(std::move(calls)) {}
  absl::StatusOr<std::vector<std::optional<index::rerank::TransportScore>>> Score(
      const index::rerank::TransportQuery&, absl::Span<const index::rerank::Patches> results) override {
    ++*calls_;
    return std::vector<std::optional<index::rerank::TransportScore>>(results.size());
  }
  index::rerank::TransportDeviceStats Stats() const override { return {.left_to_cpu = *calls_, .bytes = 100}; }

 private:
  const std::shared_ptr<std::atomic<int>> calls_;
};

class AppCardTest : public ::testing::Test {
 protected:
  AppCardTest() {
    base::SetLogLevel(base::Severity::kOff);
    options_.data_dir = absl::StrCat(folder_.path(), "/data");
    options_.listen = "127.0.0.1:0";
    options_.admin_listen = "127.0.0.1:0";
  }

  void Fill() {
    index::DatabaseOptions options;
    options.directory = options_.data_dir;
    auto database = index::Database::Open(options);
    ASSERT_TRUE(database.ok()) << database.status();
    index::CollectionConfig config;
    config.name = "v";
    config.embedding_space = "space";
    config.token_space = "space";
    config.descriptor_dim = kRowDim;
    config.index_kind = index::IndexKind::kExact;
    const auto collection = (*database)->Create(config);
    ASSERT_TRUE(collection.ok()) << collection.status();
    std::mt19937 random(1);
    for (int begin = 0; begin < kRows; begin += kTogether) {
      const auto left = std::make_shared<std::atomic<int>>(std::min(kTogether, kRows - begin));
      for (int i = begin; i < std::min(kRows, begin + kTogether); ++i) {
        index::Write write = index::MakeWrite(absl::StrCat("i", i), index::RandomVector(random, kRowDim));
        write.record.tokens = index::RandomTokens(random, 2, 2, 3);
        (*collection)->PutAsync(std::move(write), [left](const absl::StatusOr<index::WriteResult>& written) {
          EXPECT_TRUE(written.ok()) << written.status();
          --*left;
          left->notify_all();
        });
      }
      for (int now; (now = *left) != 0;) left->wait(now);
    }
    ASSERT_TRUE((*collection)->Optimize({}, nullptr).ok());
  }

  void Start() {
    client_.reset();
    app_.reset();
    rows_ = std::make_shared<index::FakeRowDevice>(1 << 20);
    IndexCard card;
    card.rows = rows_;
    card.transport = std::make_shared<CountingTransport>(calls_);
    auto app = App::Start(options_, nullptr, {}, "", nullptr, std::move(card));
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
    client_ = *client::Client::Connect({.address = absl::StrCat("127.0.0.1:", app_->grpc_port())});
  }

  void Optimize() {
    v1::OptimizeCollectionRequest request;
    request.set_name("v");
    auto operation = client_->OptimizeCollection(request);
    while (operation.ok() &&
           (operation->state() == v1::Operation::STATE_PENDING || operation->state() == v1::Operation::STATE_RUNNING)) {
      operation = client_->GetOperation(operation->name());
    }
    ASSERT_TRUE(operation.ok()) << operation.status();
    ASSERT_EQ(operation->state(), v1::Operation::STATE_SUCCEEDED);
  }

  // The ids of an exact search that is re-ranked.
  std::vector<std::string> Search() {
    v1::SearchRequest request;
    request.set_collection("v");
    request.set_exact(true);
    auto* const part = request.mutable_query()->add_parts();
    for (const float value : {1.F, 2.F, 3.F, 4.F}) part->mutable_global_descriptor()->add_values(value);
    part->mutable_global_descriptor()->set_embedding_space("space");
    std::mt19937 random(2);
    ToProto(index::RandomTokens(random, 2, 2, 3), "space", part->mutable_tokens());
    request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
    const auto reply = client_->Search(request);
    EXPECT_TRUE(reply.ok()) << reply.status();
    std::vector<std::string> ids;
    if (reply.ok()) {
      for (const v1::SearchResult& result : reply->results()) ids.push_back(result.id());
    }
    return ids;
  }

  std::string Page(const std::string& path) const { return testing::HttpGet(app_->admin_port(), path); }

  testing::TempFolder folder_;
  ServerOptions options_;
  const std::shared_ptr<std::atomic<int>> calls_ = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<index::FakeRowDevice> rows_;
  std::unique_ptr<App> app_;
  std::unique_ptr<client::Client> client_;
};

TEST_F(AppCardTest, TheCardIsUsedShownAndLeft) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(Optimize());
  const std::vector<std::string> by_card = Search();
  EXPECT_EQ(by_card.size(), 10u);
  EXPECT_EQ(rows_->card()->counts().scans, 1);
  EXPECT_EQ(*calls_, 1);
  const auto collection = client_->GetCollection("v");
  ASSERT_TRUE(collection.ok()) << collection.status();
  EXPECT_EQ(collection->settings().device(), v1::CollectionSettings::DEVICE_AUTO);
  EXPECT_EQ(collection->stats().card_images(), kChunkRows);
  EXPECT_EQ(collection->stats().card_bytes(), rows_->card()->used_bytes(index::gpu::CardUse::kRows));
  EXPECT_EQ(collection->stats().card_scans(), 1);
  const std::string metrics = Page("/metrics");
  EXPECT_THAT(metrics, HasSubstr("sightline_card_scans_total{card=\"cuda:0\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("sightline_card_pairs_total{card=\"cuda:0\",result=\"left_to_cpu\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("sightline_collection_card_scans_total{collection=\"v\"} 1\n"));
  EXPECT_THAT(Page("/statusz"), HasSubstr("index on cuda:0 (fake): "));

  v1::UpdateCollectionRequest request;
  request.set_name("v");
  request.mutable_settings()->set_device(v1::CollectionSettings::DEVICE_CPU);
  request.mutable_update_mask()->add_paths("device");
  const auto changed = client_->UpdateCollection(request);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(changed->settings().device(), v1::CollectionSettings::DEVICE_CPU);
  for (const char* when : {"changed", "after a restart"}) {
    SCOPED_TRACE(when);
    ASSERT_NO_FATAL_FAILURE(Optimize());
    EXPECT_EQ(rows_->card()->used_bytes(index::gpu::CardUse::kRows), 0);
    const int64_t scans = rows_->card()->counts().scans;
    EXPECT_EQ(Search(), by_card) << "the same, wherever it is found";
    EXPECT_EQ(rows_->card()->counts().scans, scans);
    EXPECT_EQ(*calls_, 1);
    EXPECT_EQ(client_->GetCollection("v")->stats().card_images(), 0);
    ASSERT_NO_FATAL_FAILURE(Start());
  }
  EXPECT_EQ(client_->GetCollection("v")->settings().device(), v1::CollectionSettings::DEVICE_CPU);
}

}  // namespace
}  // namespace sightline::server
