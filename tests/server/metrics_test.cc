#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sightline::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsTest, EverythingIsThereAtZeroFromTheStart) {
  Metrics metrics;
  metrics.AddMethod("SearchService/Search");
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("sightline_requests_in_flight 0"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_requests_total{code="OK",method="SearchService/Search"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_requests_total{code="UNAVAILABLE",method="SearchService/Search"} 0)"));
  EXPECT_THAT(text,
              HasSubstr(R"(sightline_request_duration_seconds_count{code="OK",method="SearchService/Search"} 0)"));
  for (const char* stage :
       {"decode", "queue", "embed", "search", "fetch_tokens", "rerank", "fetch", "explain", "store", "total"}) {
    EXPECT_THAT(text, HasSubstr(std::string("sightline_stage_duration_seconds_count{stage=\"") + stage + "\"} 0"));
  }
  for (const char* reason :
       {"in_flight", "decode_queue", "model_queue", "search_queue", "write_queue", "memory_budget", "transfers"}) {
    EXPECT_THAT(text, HasSubstr(std::string("sightline_rejected_total{reason=\"") + reason + "\"} 0"));
  }
  for (const char* result : {"complete", "partial"}) {
    EXPECT_THAT(text, HasSubstr(std::string("sightline_reranked_searches_total{result=\"") + result + "\"} 0"));
  }
  for (const char* index : {"exact", "hnsw", "ivf"}) {
    for (const char* refinement : {"off", "average", "alpha_weighted", "super_global", "k_reciprocal"}) {
      EXPECT_THAT(text, HasSubstr(std::string("sightline_searches_total{filtered=\"true\",index=\"") + index +
                                  "\",refinement=\"" + refinement + "\"} 0"));
    }
  }
}

TEST(MetricsTest, CountsRequestsByMethodAndCode) {
  Metrics metrics;
  Metrics::Method* method = metrics.AddMethod("S/M");
  metrics.RequestStarted();
  EXPECT_THAT(metrics.Text(), HasSubstr("sightline_requests_in_flight 1"));
  metrics.RequestEnded(method, absl::StatusCode::kNotFound, 0.002);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("sightline_requests_in_flight 0"));
  EXPECT_THAT(text, HasSubstr(R"(sightline_requests_total{code="NOT_FOUND",method="S/M"} 1)"));
  EXPECT_THAT(text,
              HasSubstr(R"(sightline_request_duration_seconds_bucket{code="NOT_FOUND",method="S/M",le="0.0025"} 1)"));
}

TEST(MetricsTest, SeriesOfWhatIsGoneGoAway) {
  Metrics metrics;
  std::vector<Metrics::Sample> samples = {{"sightline_collection_images", {{"collection", "shop"}}, 7}};
  metrics.SetCollector([&] { return samples; });
  EXPECT_THAT(metrics.Text(), HasSubstr(R"(sightline_collection_images{collection="shop"} 7)"));
  samples.clear();
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("shop")));
}

TEST(MetricsTest, StageTableRanksByShareOfTime) {
  Metrics metrics;
  metrics.ObserveStage("decode", 1);
  metrics.ObserveStage("embed", 3);
  const std::string table = metrics.StageTable();
  EXPECT_LT(table.find("embed"), table.find("decode"));
  EXPECT_THAT(table, HasSubstr("75.0%"));
}

}  // namespace
}  // namespace sightline::server
