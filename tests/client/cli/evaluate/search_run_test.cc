// Searching for a benchmark's queries: pages, what they share, and what ends a run early.
#include "client/cli/evaluate/search_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/client/support/fake_server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace sightline::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SearchRunTest : public ::testing::Test {
 protected:
  SearchRunTest() {
    std::ofstream(folder_.Path("query.jpg")) << "a picture";
    client_ = *client::Client::Connect({.address = server_.address()});
    benchmark_.measures = RevisitedMeasures();
    benchmark_.splits = {{.name = "all", .right = static_cast<unsigned>(Grade::kEasy)}};
  }

  // `images` images, of which `right` are right for each of `queries` queries.
  void Ask(int images, std::vector<int32_t> right, int queries = 1) {
    for (int i = 0; i < images; ++i) benchmark_.images.push_back(absl::StrCat(i));
    for (int q = 0; q < queries; ++q) {
      BenchQuery query{.name = absl::StrCat("q", q), .picture = "query.jpg"};
      for (const int32_t image : right) query.judged.push_back({image, Grade::kEasy});
      benchmark_.queries.push_back(query);
    }
    options_.images = images;
  }

  // The server has the images in this order, best first.
  void Serve(std::vector<std::string> order) {
    server_.AnswerSearches([this, order = std::move(order)](const v1::SearchRequest& request) {
      requests_.push_back(request);
      v1::SearchResponse response;
      for (int i = request.offset(); i < request.offset() + request.top_k() && i < static_cast<int>(order.size());
           ++i) {
        v1::SearchResult& result = *response.add_results();
        result.set_id(order[static_cast<size_t>(i)]);
        result.set_rank(i + 1);
        result.set_score(1 - 1e-4 * i);
      }
      return response;
    });
  }

  static std::vector<std::string> Numbers(int count) {
    std::vector<std::string> numbers;
    for (int i = 0; i < count; ++i) numbers.push_back(absl::StrCat(i));
    return numbers;
  }

  absl::StatusOr<SearchRunResult> Run() {
    Context context{.out = err_, .err = err_, .clock = clock_, .err_is_terminal = true, .interrupted = interrupted_};
    options_.max_image_bytes = 1000;
    return RunSearches(context, *client_, benchmark_,
                       std::vector<std::string>(benchmark_.queries.size(), folder_.Path("query.jpg")), plan_, options_);
  }

  const ::sightline::testing::TempFolder folder_;
  testing::FakeServer server_;
  testing::FakeClock clock_;
  std::unique_ptr<client::Client> client_;
  Benchmark benchmark_;
  SearchPlan plan_{.name = "plain", .request = {}};
  SearchRunOptions options_{.in_flight = 1};
  std::function<bool()> interrupted_;
  std::vector<v1::SearchRequest> requests_;
  StringSink err_;
};

TEST_F(SearchRunTest, TheWholeRankingIsAskedForPageByPage) {
  Ask(2500, {0, 999, 1000, 2499});
  Serve(Numbers(2500));
  plan_.request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
  const auto result = Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcomes[0].splits[0].found, 4);
  const double sum = (1 + 1) + (1 / 999.0 + 2 / 1000.0) + (2 / 1000.0 + 3 / 1001.0) + (3 / 2499.0 + 4 / 2500.0);
  EXPECT_NEAR(result->outcomes[0].splits[0].values[0], sum / 8, 1e-12);
  std::vector<int> offsets, sizes, methods;
  for (const v1::SearchRequest& request : requests_) {
    offsets.push_back(request.offset());
    sizes.push_back(request.top_k());
    methods.push_back(request.rerank().method());
  }
  EXPECT_THAT(offsets, ElementsAre(0, 1000, 2000));
  EXPECT_THAT(sizes, ElementsAre(1000, 1000, 500));
  EXPECT_THAT(methods, ElementsAre(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT, v1::RerankOptions::METHOD_OFF,
                                   v1::RerankOptions::METHOD_OFF));
}

TEST_F(SearchRunTest, NoMoreIsAskedForThanTheApiGives) {
  Ask(10'500, {10'200});
  Serve(Numbers(10'500));
  const auto result = Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(requests_.size(), 10u);
  EXPECT_EQ(requests_.back().offset() + requests_.back().top_k(), 10'000);
  EXPECT_EQ(result->outcomes[0].splits[0].found, 0);
}

// As a graph may do it: the second page begins with what the first one ended with.
TEST_F(SearchRunTest, AnImageOfTwoPagesCountsOnce) {
  Ask(1500, {999, 1400});
  std::vector<std::string> order = Numbers(1500);
  order.insert(order.begin() + 1000, "999");
  order.pop_back();
  Serve(order);
  options_.keep_lines = true;
  const auto result = Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcomes[0].splits[0].found, 2);
  EXPECT_NEAR(result->outcomes[0].splits[0].values[0], (1 / 1000.0 + 1 / 1400.0 + 2 / 1401.0) / 4, 1e-12);
  EXPECT_EQ(std::count(result->lines[0].begin(), result->lines[0].end(), '\n'), 1499);
}

TEST_F(SearchRunTest, AQueryIsDegradedOnce) {
  Ask(1500, {1}, 2);
  server_.AnswerSearches([](const v1::SearchRequest& request) {
    v1::SearchResponse response;
    for (int i = 0; i < request.top_k(); ++i) response.add_results()->set_id(absl::StrCat(request.offset() + i));
    response.mutable_stats()->set_degraded(true);
    response.mutable_stats()->add_degraded_reasons("a disk is slow.");
    return response;
  });
  const auto result = Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->degraded, 2);
  EXPECT_EQ(result->degraded_reason, "a disk is slow.");
}

TEST_F(SearchRunTest, CtrlCEndsItWithinTheSearchesOnTheirWay) {
  Ask(3, {1}, 100);
  Serve(Numbers(3));
  int searched = 0;
  interrupted_ = [&] { return ++searched > 5; };
  const auto result = Run();
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(base::GetErrorInfo(result.status()).reason, "INTERRUPTED");
  EXPECT_EQ(requests_.size(), 6u);
  EXPECT_EQ(err_.text().back(), '\n') << "the terminal's line is ended";
}

TEST_F(SearchRunTest, AFailureNamesTheQueryAndEndsTheLine) {
  Ask(3, {1}, 2);
  Serve(Numbers(3));
  server_.FailSearches({base::InvalidArgument("IMAGE_UNREADABLE", "it is no picture. Send one.")});
  const auto result = Run();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("the query q0: it is no picture. Send one."));
  EXPECT_EQ(base::GetErrorInfo(result.status()).reason, "IMAGE_UNREADABLE");
  EXPECT_EQ(err_.text().back(), '\n');
}

}  // namespace
}  // namespace sightline::cli
