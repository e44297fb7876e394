#include "model/train/scene/random.h"

#include <gtest/gtest.h>

#include <set>

namespace sightline::scene {
namespace {

// The values are part of what a seed means: they must not change between machines or versions.
TEST(RandomTest, KnownValues) {
  Random random(0);
  EXPECT_EQ(random.Next(), 0xE220A8397B1DCDAFu);
  EXPECT_EQ(Mix(1), 0x910A2DEC89025CC1u);
}

TEST(RandomTest, StaysInItsRanges) {
  Random random(7);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double value = random.Between(-2, 3);
    ASSERT_GE(value, -2);
    ASSERT_LT(value, 3);
    sum += value;
    const int below = random.Below(4);
    ASSERT_GE(below, 0);
    ASSERT_LT(below, 4);
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.1);
}

TEST(RandomTest, EveryPathIsAStreamOfItsOwn) {
  std::set<uint64_t> first;
  for (uint64_t i = 0; i < 20; ++i) {
    first.insert(Random::For(1, {i}).Next());
    for (uint64_t j = 0; j < 20; ++j) first.insert(Random::For(1, {i, j}).Next());
  }
  EXPECT_EQ(first.size(), 420u);
}

}  // namespace
}  // namespace sightline::scene
