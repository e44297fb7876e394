#include "index/ann/filter_plan.h"

#include <gtest/gtest.h>

namespace sightline::index {
namespace {

TEST(FilterPlanTest, LeavesFewSurvivorsToTheExactWay) {
  EXPECT_FALSE(PlanFilter(0, 0, 100).use_graph);
  EXPECT_FALSE(PlanFilter(1'000'000, 0, 100).use_graph);
  EXPECT_FALSE(PlanFilter(1'000'000, 1'000, 100).use_graph);
  EXPECT_TRUE(PlanFilter(1'000'000, 20'000, 100).use_graph);
  EXPECT_TRUE(PlanFilter(1'000'000, 1'000'000, 100).use_graph);
  // A wider search leaves more to it.
  EXPECT_FALSE(PlanFilter(1'000'000, 20'000, 1'000).use_graph);
}

TEST(FilterPlanTest, SearchesWiderTheFewerRowsPass) {
  double width = 1;
  for (const uint64_t survivors : {1'000'000, 400'000, 100'000, 20'000}) {
    const FilterPlan plan = PlanFilter(1'000'000, survivors, 100);
    EXPECT_GT(plan.width, width) << survivors;
    EXPECT_LT(plan.width, 8);
    width = plan.width;
  }
}

TEST(FilterPlanTest, GivesUpBeforeTheExactWayWouldHaveEnded) {
  for (const uint64_t survivors : {20'000, 500'000}) {
    const FilterPlan plan = PlanFilter(1'000'000, survivors, 100);
    EXPECT_GT(plan.max_compared, 0);
    EXPECT_LT(plan.max_compared, static_cast<int64_t>(survivors));
  }
}

}  // namespace
}  // namespace sightline::index
