#include "client/cpp/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/client/support/fake_server.h"

namespace sightline::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr RetryPolicy kQuick = {
    .max_attempts = 5, .initial_backoff = absl::Milliseconds(1), .max_backoff = absl::Milliseconds(20)};

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    server_.AddCollection("shop");
    client_ = *Client::Connect({.address = server_.address(), .retry = kQuick});
  }

  static v1::IndexRequest Write(const std::string& id, const std::string& image = "bytes") {
    v1::IndexRequest request;
    request.set_collection("shop");
    request.mutable_item()->set_id(id);
    request.mutable_item()->set_image(image);
    return request;
  }

  // Gives `count` writes, "0.jpg" and so on.
  static ItemSource Writes(int count) {
    return [next = 0, count]() mutable -> std::optional<v1::IndexRequest> {
      if (next == count) return std::nullopt;
      return Write(absl::StrCat(next++, ".jpg"));
    };
  }

  ItemCallback Keep() {
    return [this](const ItemOutcome& outcome) {
      EXPECT_FALSE(outcomes_.contains(outcome.id)) << outcome.id << " was told twice";
      outcomes_[outcome.id] = outcome;
    };
  }

  IndexManyOptions Options() {
    IndexManyOptions options;
    options.max_in_flight = 8;
    options.retry = kQuick;
    options.patience = absl::Milliseconds(200);
    return options;
  }

  testing::FakeServer server_;
  std::unique_ptr<Client> client_;
  std::map<std::string, ItemOutcome> outcomes_;
};

TEST_F(ClientTest, SearchesByPatchesAsAsked) {
  SearchOptions options;
  v1::PatchTokens tokens;
  tokens.set_token_space("patches");
  options.query = Query::Descriptor({1, 0}, "space").Tokens(tokens);
  options.rerank.set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
  options.rerank.set_mass(0.6);
  options.explain.set_enabled(true);
  ASSERT_TRUE(client_->Search(options).ok());
  const v1::SearchRequest sent = server_.last_search();
  EXPECT_EQ(sent.query().parts(0).tokens().token_space(), "patches");
  EXPECT_EQ(sent.rerank().SerializeAsString(), options.rerank.SerializeAsString());
  EXPECT_TRUE(sent.explain().enabled());
}

TEST(QueryTest, AnImageToExplainHasAtMostOneBox) {
  const auto image = Query::Image("bytes").Crop(0.1, 0.2, 0.3, 0.4).BuildExplain(100);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->image(), "bytes");
  EXPECT_EQ(image->crop().x1(), 0.3);
  EXPECT_EQ(Query::Id("a").BuildExplain(100)->id(), "a");
  EXPECT_FALSE(Query::Image("bytes").Crop(0, 0, 1, 1).Crop(0, 0, 1, 1).BuildExplain(100).ok());
  EXPECT_FALSE(Query::Descriptor({1}, "space").BuildExplain(100).ok());
  EXPECT_FALSE(Query::ImageFile("/nowhere/a.jpg").BuildExplain(100).ok());
}

TEST_F(ClientTest, SearchesAsAsked) {
  v1::SearchResponse response;
  response.add_results()->set_id("a.jpg");
  server_.SetSearchResponse(response);
  const auto answer = client_->Search({.collection = "shop",
                                       .query = Query::Image("bytes").Crop(0.1, 0.2, 0.3, 0.4),
                                       .top_k = 3,
                                       .filter = "n = 1",
                                       .min_score = 0.5,
                                       .exact = true});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->results(0).id(), "a.jpg");
  const v1::SearchRequest sent = server_.last_search();
  EXPECT_EQ(sent.query().parts(0).image(), "bytes");
  EXPECT_EQ(sent.query().parts(0).crops(0).y1(), 0.4);
  EXPECT_EQ(sent.top_k(), 3);
  EXPECT_EQ(sent.min_score(), 0.5);
  EXPECT_TRUE(sent.exact());
}

TEST_F(ClientTest, ReportsAFileThatCannotBeSearchedWith) {
  EXPECT_FALSE(client_->Search({.collection = "shop", .query = Query::ImageFile("/nowhere/x.jpg")}).ok());
}

TEST_F(ClientTest, RepeatsACallWhenTheServerAsksTo) {
  server_.FailSearches(
      {base::RetryableError(absl::StatusCode::kResourceExhausted, "QUEUE_FULL", "full. Wait.", absl::Milliseconds(5)),
       base::RetryableError(absl::StatusCode::kUnavailable, "STARTING", "soon. Wait.", absl::Milliseconds(5))});
  EXPECT_TRUE(client_->Search({.collection = "shop", .query = Query::Id("a")}).ok());
}

TEST_F(ClientTest, DoesNotWaitBeyondTheDeadline) {
  server_.FailSearches({base::RetryableError(absl::StatusCode::kUnavailable, "STARTING", "x. Wait.", absl::Hours(1))});
  const auto answer = client_->Search({.collection = "shop", .query = Query::Id("a")});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::GetErrorInfo(answer.status()).reason, "STARTING");
}

TEST_F(ClientTest, TellsAServerThatIsNotThere) {
  const auto nobody = *Client::Connect({.address = "127.0.0.1:1", .deadline = absl::Seconds(5)});
  const auto info = nobody->GetServerInfo();
  EXPECT_EQ(base::GetErrorInfo(info.status()).reason, "SERVER_UNREACHABLE");
  EXPECT_THAT(std::string(info.status().message()),
              AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("Start sightline-server")));
}

TEST(ConnectTest, RefusesWhatCanBeNoAddress) {
  for (const char* address : {"no-port", "", ":50051", "host:", "host:none", "host:0", "host:65536", "host:-1", "::1:5",
                              "http://127.0.0.1:8080", "https://host", "a b:1", "a\nb:1"}) {
    const auto client = Client::Connect({.address = address});
    EXPECT_EQ(base::GetErrorInfo(client.status()).reason, "INVALID_ADDRESS") << address;
    EXPECT_THAT(std::string(client.status().message()), HasSubstr("Write it as host:port")) << address;
  }
  for (const char* address : {"host:1", "[::1]:65535", "unix:/a/b", "dns:///host:5", "127.0.0.1:50051"}) {
    EXPECT_TRUE(Client::Connect({.address = address}).ok()) << address;
  }
}

TEST(ConnectTest, RefusesWhatIsNoCertificate) {
  const auto client = Client::Connect({.tls_ca = "\x89PNG"});
  EXPECT_EQ(base::GetErrorInfo(client.status()).reason, "TLS_INVALID");
  EXPECT_TRUE(Client::Connect({.tls_ca = "-----BEGIN CERTIFICATE-----\n"}).ok());
}

TEST_F(ClientTest, AsksForHealth) {
  EXPECT_EQ(*client_->CheckHealth(), Health::kServing);
  EXPECT_EQ(*client_->CheckHealth("no.such.Service"), Health::kUnknownService);
}

TEST_F(ClientTest, ReadsAllPagesOfCollections) {
  server_.AddCollection("a");
  server_.AddCollection("z");
  EXPECT_EQ(client_->ListAllCollections()->size(), 3u);
}

TEST_F(ClientTest, IndexesMany) {
  const auto summary = client_->IndexMany(Writes(500), Keep(), Options());
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->succeeded, 500);
  EXPECT_EQ(summary->failed, 0);
  EXPECT_EQ(server_.images("shop"), 500);
  EXPECT_THAT(outcomes_, SizeIs(500));
}

TEST_F(ClientTest, AnEmptySourceIsNoError) {
  const auto summary = client_->IndexMany([] { return std::nullopt; }, Keep(), Options());
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->succeeded, 0);
}

TEST_F(ClientTest, RepeatsRefusedItemsWithTheSameRequestId) {
  const absl::Status busy =
      base::RetryableError(absl::StatusCode::kResourceExhausted, "QUEUE_FULL", "full. Wait.", absl::Milliseconds(3));
  server_.FailNext("2.jpg", {busy, busy});
  server_.FailNext("4.jpg", {base::InvalidArgument("IMAGE_CORRUPT", "broken. Send another.")});
  const auto summary = client_->IndexMany(Writes(6), Keep(), Options());
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->succeeded, 5);
  EXPECT_EQ(summary->failed, 1);
  EXPECT_EQ(summary->retries, 2);
  EXPECT_EQ(outcomes_["2.jpg"].attempts, 3);
  EXPECT_EQ(base::GetErrorInfo(outcomes_["4.jpg"].status).reason, "IMAGE_CORRUPT");
  EXPECT_EQ(server_.WritesOf("4.jpg").size(), 1u) << "what cannot succeed is not repeated";
  const auto ids = server_.WritesOf("2.jpg");
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1u);
}

TEST_F(ClientTest, GivesUpWhatIsRefusedForTooLong) {
  server_.FailNext("0.jpg", std::vector<absl::Status>(10'000, absl::UnavailableError("again")));
  const auto summary = client_->IndexMany(Writes(2), Keep(), Options());
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->failed, 1);
  EXPECT_EQ(outcomes_["0.jpg"].attempts, static_cast<int>(server_.WritesOf("0.jpg").size()));
  EXPECT_GT(outcomes_["0.jpg"].attempts, 1);
  EXPECT_TRUE(outcomes_["1.jpg"].status.ok());
}

TEST_F(ClientTest, ABusyServerIsAskedMoreOftenThanAFewTimes) {
  const absl::Status busy =
      base::RetryableError(absl::StatusCode::kResourceExhausted, "QUEUE_FULL", "full. Wait.", absl::Milliseconds(1));
  server_.FailNext("0.jpg", std::vector<absl::Status>(20, busy));
  IndexManyOptions options = Options();
  options.patience = absl::Minutes(1);
  options.retry.max_backoff = absl::Milliseconds(1);
  const auto summary = client_->IndexMany(Writes(1), Keep(), options);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(outcomes_["0.jpg"].attempts, 21);
  EXPECT_TRUE(outcomes_["0.jpg"].status.ok());
}

TEST_F(ClientTest, WhatIsTooLateIsAskedAgain) {
  server_.FailNext("0.jpg", {base::Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", "too late. Wait."),
                             base::Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE_TOO_SHORT", "soon. Wait.")});
  const auto summary = client_->IndexMany(Writes(2), Keep(), Options());
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->failed, 0);
  EXPECT_EQ(outcomes_["0.jpg"].attempts, 3);
}

TEST_F(ClientTest, AnItemThatFellsTheServerHasAnEnd) {
  server_.CutStreamsAt("13.jpg");
  IndexManyOptions options = Options();
  options.max_in_flight = 2;
  options.patience = absl::Minutes(1);
  const auto summary = client_->IndexMany(Writes(60), Keep(), options);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->succeeded, 59);
  EXPECT_FALSE(outcomes_["13.jpg"].status.ok());
}

TEST_F(ClientTest, ABrokenStreamLosesAndDoublesNothing) {
  server_.CutStreamsAfter({3, 7, 0, 20});
  const auto summary = client_->IndexMany(Writes(100), Keep(), Options());
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->succeeded, 100);
  EXPECT_GT(summary->retries, 0);
  EXPECT_EQ(server_.images("shop"), 100);
  for (const auto& [id, outcome] : outcomes_) EXPECT_EQ(outcome.response.revision(), 1) << id;
}

TEST_F(ClientTest, AServerThatAlwaysBreaksIsGivenUp) {
  server_.CutStreamsAfter(std::vector<int>(100, 0));
  const auto summary = client_->IndexMany(Writes(20), Keep(), Options());
  EXPECT_EQ(summary.status().code(), absl::StatusCode::kUnavailable);
  for (const auto& [id, outcome] : outcomes_) EXPECT_FALSE(outcome.status.ok()) << id;
}

TEST_F(ClientTest, NobodyThereTakesNothingFromTheSource) {
  const auto nobody = *Client::Connect({.address = "127.0.0.1:1"});
  int taken = 0;
  const auto source = [&]() -> std::optional<v1::IndexRequest> { return Write(absl::StrCat(++taken)); };
  EXPECT_EQ(nobody->IndexMany(source, Keep(), Options()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(taken, 0);
}

TEST_F(ClientTest, StopsWhenAskedAndAwaitsWhatIsInFlight) {
  int taken = 0;
  bool stop = false;
  const auto source = [&]() -> std::optional<v1::IndexRequest> {
    stop = ++taken == 10;
    return Write(absl::StrCat(taken));
  };
  IndexManyOptions options = Options();
  options.stop = [&] { return stop; };
  const auto summary = client_->IndexMany(source, Keep(), options);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_TRUE(summary->stopped);
  EXPECT_EQ(summary->succeeded, 10);
  EXPECT_THAT(outcomes_, SizeIs(10));
}

TEST_F(ClientTest, RefusesWhatWouldBreakTheStream) {
  std::vector<v1::IndexRequest> writes = {Write("large", std::string(41 << 20, 'x')), Write("fine")};
  const auto source = [&]() -> std::optional<v1::IndexRequest> {
    if (writes.empty()) return std::nullopt;
    v1::IndexRequest next = std::move(writes.front());
    writes.erase(writes.begin());
    return next;
  };
  const auto summary = client_->IndexMany(source, Keep(), Options());
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(base::GetErrorInfo(outcomes_["large"].status).reason, "MESSAGE_TOO_LARGE");
  EXPECT_TRUE(outcomes_["fine"].status.ok());
}

}  // namespace
}  // namespace sightline::client
