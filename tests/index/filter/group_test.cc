#include "index/filter/group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace sightline::index {
namespace {

std::vector<bool> KeepAll(int group_size, const std::vector<std::optional<uint64_t>>& groups) {
  GroupLimit limit(group_size);
  std::vector<bool> kept;
  for (const auto& group : groups) kept.push_back(limit.Keep(group));
  return kept;
}

TEST(GroupLimitTest, KeepsTheBestOfEveryGroup) {
  EXPECT_THAT(KeepAll(1, {5, 7, 5, 5, 7, 0}), ::testing::ElementsAre(true, true, false, false, false, true));
  EXPECT_THAT(KeepAll(2, {5, 7, 5, 5, 7, 0}), ::testing::ElementsAre(true, true, true, false, true, true));
}

TEST(GroupLimitTest, KeepsWhatHasNoGroup) {
  EXPECT_THAT(KeepAll(1, {std::nullopt, 1, std::nullopt, 1, std::nullopt}),
              ::testing::ElementsAre(true, true, true, false, true));
}

}  // namespace
}  // namespace sightline::index
