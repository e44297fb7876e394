#include "server/collection_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "server/metrics.h"

namespace sightline::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(CollectionSeriesTest, CollectionsAreThereAtZeroAndGoAway) {
  Metrics metrics;
  metrics.collections().Keep({"shop"});
  std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(R"(sightline_collection_requests_total{code="OK",collection="shop"} 0)"));
  EXPECT_THAT(text,
              HasSubstr(R"(sightline_collection_stage_duration_seconds_count{collection="shop",stage="total"} 0)"));
  EXPECT_THAT(text, Not(HasSubstr("_other")));
  metrics.collections().Keep({});
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("shop")));
}

TEST(CollectionSeriesTest, CountsByCodeAndStage) {
  Metrics metrics;
  metrics.collections().Observe("shop", absl::StatusCode::kOk, {{"search", 4, 0}, {"fetch", 30, 0}}, 40);
  metrics.collections().Observe("shop", absl::StatusCode::kNotFound, {}, 3000);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(R"(sightline_collection_requests_total{code="OK",collection="shop"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_collection_requests_total{code="NOT_FOUND",collection="shop"} 1)"));
  const auto bucket = [](const char* stage, const char* bound, int count) {
    return std::string("sightline_collection_stage_duration_seconds_bucket{collection=\"shop\",stage=\"") + stage +
           "\",le=\"" + bound + "\"} " + std::to_string(count) + "\n";
  };
  EXPECT_THAT(text, HasSubstr(bucket("search", "0.005", 1)));
  EXPECT_THAT(text, HasSubstr(bucket("fetch", "0.025", 0)));
  EXPECT_THAT(text, HasSubstr(bucket("fetch", "0.1", 1)));
  EXPECT_THAT(text, HasSubstr(bucket("total", "2.5", 1)));
  EXPECT_THAT(text, HasSubstr(bucket("total", "+Inf", 2)));
}

TEST(CollectionSeriesTest, WhatIsTooManySharesOneSeriesUntilThereIsRoom) {
  Metrics metrics(2);
  CollectionSeries& series = metrics.collections();
  series.Keep({"a", "b", "c", "d"});
  series.Observe("c", absl::StatusCode::kOk, {}, 1);
  series.Observe("d", absl::StatusCode::kOk, {}, 1);
  std::string text = metrics.Text();
  EXPECT_EQ(series.LabelOf("a"), "a");
  EXPECT_EQ(series.LabelOf("d"), "_other");
  EXPECT_THAT(text, HasSubstr(R"({code="OK",collection="_other"} 2)"));
  EXPECT_THAT(text, Not(HasSubstr("\"c\"")));
  series.Keep({"b", "c", "d"});
  EXPECT_EQ(series.LabelOf("c"), "c");
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("collection=\"a\"")));
}

TEST(CollectionSeriesTest, RequestsAndDeletionsAtOnce) {
  Metrics metrics(4);
  CollectionSeries& series = metrics.collections();
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&series, t] {
      for (int i = 0; i < 2000; ++i) {
        series.Observe("c" + std::to_string((i + t) % 8), absl::StatusCode::kOk, {{"search", 1, 0}}, 1);
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    series.Keep({"c" + std::to_string(i % 8)});
    EXPECT_THAT(metrics.Text(), HasSubstr("sightline_collection_requests_total"));
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace sightline::server
