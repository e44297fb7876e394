#include "client/cli/evaluate/thresholds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/cli/evaluate/report.h"

namespace sightline::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Three queries: of the first, images 0 and 1 are right; of the second, image 2; of the third none is.
Benchmark Three() {
  Benchmark benchmark{.title = "three", .images = {"0", "1", "2", "3"}};
  benchmark.measures = RevisitedMeasures();
  benchmark.splits = {{.name = "all", .right = static_cast<unsigned>(Grade::kEasy)}};
  benchmark.queries = {{.name = "a", .judged = {{0, Grade::kEasy}, {1, Grade::kEasy}}},
                       {.name = "b", .judged = {{2, Grade::kEasy}}},
                       {.name = "c"}};
  return benchmark;
}

RankedImage Scored(int image, double score, std::optional<double> confidence = std::nullopt) {
  return {.id = std::to_string(image), .image = image, .score = score, .confidence = confidence};
}

std::vector<QueryOutcome> Outcomes(const Benchmark& benchmark, const std::vector<Ranking>& rankings) {
  std::vector<QueryOutcome> outcomes;
  for (size_t q = 0; q < rankings.size(); ++q) {
    outcomes.push_back(ScoreQuery(benchmark, benchmark.queries[q], rankings[q]));
  }
  return outcomes;
}

TEST(ThresholdsTest, CountsWhatEachThresholdLeaves) {
  const Benchmark benchmark = Three();
  // The re-ranking has put a worse one first in the second: what counts is the highest score.
  const Thresholds thresholds =
      ThresholdsOf(benchmark, Outcomes(benchmark, {{Scored(0, 0.95), Scored(3, 0.29), Scored(1, 0.29)},
                                                   {Scored(3, 0.6), Scored(2, 0.8)},
                                                   {Scored(3, 0.7)}}));
  EXPECT_EQ(thresholds.by, "min_score");
  EXPECT_EQ(thresholds.queries, 3);
  std::vector<double> least;
  for (const Threshold& row : thresholds.rows) least.push_back(row.least);
  EXPECT_THAT(least, ElementsAre(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9));
  const Threshold& all = thresholds.rows[0];
  EXPECT_DOUBLE_EQ(all.answered, 1);
  EXPECT_DOUBLE_EQ(*all.first_right, 2.0 / 3);
  EXPECT_DOUBLE_EQ(*all.precision, 3.0 / 6);
  EXPECT_DOUBLE_EQ(all.recall, 1);
  EXPECT_DOUBLE_EQ(*thresholds.rows[1].precision, 2.0 / 4);
  EXPECT_DOUBLE_EQ(thresholds.rows[1].recall, 2.0 / 3);
  // From 0.8 on the query that nothing is right for gets no answer; at 0.8 itself the second still does.
  const Threshold& sure = thresholds.rows[6];
  EXPECT_DOUBLE_EQ(sure.answered, 2.0 / 3);
  EXPECT_DOUBLE_EQ(*sure.first_right, 1);
  EXPECT_DOUBLE_EQ(*sure.precision, 1);
  EXPECT_DOUBLE_EQ(thresholds.rows[7].recall, 1.0 / 3);
}

TEST(ThresholdsTest, CosinesThatLieCloseGetCloseRows) {
  const Benchmark benchmark = Three();
  const Thresholds thresholds =
      ThresholdsOf(benchmark, Outcomes(benchmark, {{Scored(0, 0.98), Scored(1, 0.91)}, {Scored(2, 0.95)}, {}}));
  ASSERT_EQ(thresholds.rows.size(), 8u);
  EXPECT_DOUBLE_EQ(thresholds.rows[0].least, 0.91);
  EXPECT_DOUBLE_EQ(thresholds.rows[0].recall, 1);
  EXPECT_DOUBLE_EQ(thresholds.rows[0].answered, 2.0 / 3);
  EXPECT_DOUBLE_EQ(thresholds.rows[7].least, 0.98);
  // Negative ones too, and the widest span there is.
  const Thresholds wide =
      ThresholdsOf(benchmark, Outcomes(benchmark, {{Scored(0, 1), Scored(1, -1)}, {Scored(2, 0)}, {}}));
  ASSERT_EQ(wide.rows.size(), 11u);
  EXPECT_DOUBLE_EQ(wide.rows[0].least, -1);
  EXPECT_DOUBLE_EQ(wide.rows[10].least, 1);
}

TEST(ThresholdsTest, AConfidenceIsWhatCountsWhereThereIsOne) {
  const Benchmark benchmark = Three();
  const Thresholds thresholds = ThresholdsOf(
      benchmark, Outcomes(benchmark, {{Scored(0, 0.3, 0.96), Scored(1, 0.2, 0.2)}, {Scored(3, 0.4, 0.7)}, {}}));
  EXPECT_EQ(thresholds.by, "min_confidence");
  ASSERT_EQ(thresholds.rows.size(), 7u);
  EXPECT_DOUBLE_EQ(thresholds.rows[0].least, 0.5);
  EXPECT_DOUBLE_EQ(*thresholds.rows[0].precision, 0.5);
  EXPECT_DOUBLE_EQ(*thresholds.rows[5].precision, 1);
  EXPECT_DOUBLE_EQ(thresholds.rows[6].answered, 0);
  EXPECT_FALSE(thresholds.rows[6].precision.has_value());
  // Some with and some without cannot be added up; nothing right needs no threshold.
  EXPECT_TRUE(ThresholdsOf(benchmark, Outcomes(benchmark, {{Scored(0, 0.3, 0.9)}, {Scored(2, 0.4)}, {}})).rows.empty());
  EXPECT_TRUE(ThresholdsOf(benchmark, Outcomes(benchmark, {{Scored(3, 0.3)}, {}, {}})).rows.empty());
}

TEST(ThresholdsTest, AllThreeReportsHaveThem) {
  const Benchmark benchmark = Three();
  const std::vector<QueryOutcome> outcomes = Outcomes(benchmark, {{Scored(0, 0.3, 0.96)}, {Scored(3, 0.4, 0.7)}, {}});
  EvalReport report{.title = "three", .measures = benchmark.measures};
  report.split_names = {"all"};
  report.runs.push_back({.name = "plain", .splits = Mean(benchmark, outcomes)});
  report.thresholds = ThresholdsOf(benchmark, outcomes);
  EXPECT_THAT(EvalTable(report), HasSubstr("what a threshold leaves, plain:\n"
                                           "min_confidence  answered  first right  precision  recall\n"
                                           "          0.50     66.67        50.00      50.00   33.33\n"));
  EXPECT_THAT(EvalTable(report), HasSubstr("          0.99      0.00            -          -    0.00\n"));
  EXPECT_THAT(EvalJson(report),
              HasSubstr("\"thresholds\":{\"by\":\"min_confidence\",\"queries\":3,\"rows\":[{\"least\":0.5,"));
  EXPECT_THAT(EvalJson(report), HasSubstr("\"first_right\":null,\"precision\":null,\"recall\":0"));
  EXPECT_THAT(EvalPage(report, {}), HasSubstr("<tr><td>0.50</td><td>66.67</td><td>50.00</td>"));
  report.thresholds = {};
  EXPECT_THAT(EvalJson(report), HasSubstr("\"thresholds\":null"));
  EXPECT_EQ(EvalTable(report).find("threshold"), std::string::npos);
  EXPECT_EQ(EvalPage(report, {}).find("threshold"), std::string::npos);
}

}  // namespace
}  // namespace sightline::cli
