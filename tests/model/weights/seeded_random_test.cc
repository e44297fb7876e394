#include "model/weights/seeded_random.h"

#include <cmath>

#include "gtest/gtest.h"

namespace sightline::weights {
namespace {

TEST(SeededRandomTest, HasMeanZeroAndVarianceOne) {
  SeededRandom random(1, "test");
  constexpr int kDraws = 200'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = random.Normal();
    sum += value;
    squares += value * value;
    ASSERT_LE(std::abs(value), 2 * std::sqrt(3.0));
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1, 0.01);
}

TEST(SeededRandomTest, IsTheSameOnEveryMachine) {
  // Golden values: a change of them changes every seeded embedding space.
  SeededRandom random(1, "backbone.pos_embed");
  EXPECT_FLOAT_EQ(random.Normal(), -1.2570424f);
  EXPECT_FLOAT_EQ(random.Normal(), -0.23048729f);
}

TEST(SeededRandomTest, StreamsOfSeedsAndNamesDiffer) {
  const float value = SeededRandom(1, "a").Normal();
  EXPECT_NE(SeededRandom(2, "a").Normal(), value);
  EXPECT_NE(SeededRandom(1, "b").Normal(), value);
  EXPECT_EQ(SeededRandom(1, "a").Normal(), value);
}

}  // namespace
}  // namespace sightline::weights
