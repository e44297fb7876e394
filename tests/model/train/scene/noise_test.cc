#include "model/train/scene/noise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/train/scene/random.h"

namespace sightline::scene {
namespace {

TEST(NoiseTest, MeetsTheCellValuesAndStaysBetweenThem) {
  for (int x : {-3, 0, 5}) {
    for (int y : {-7, 2}) EXPECT_DOUBLE_EQ(ValueNoise(4, x, y), CellValue(4, x, y));
  }
  Random random(3);
  for (int i = 0; i < 5000; ++i) {
    const double x = random.Between(-50, 50);
    const double y = random.Between(-50, 50);
    for (double value : {ValueNoise(1, x, y), Fractal(2, x, y, 4)}) {
      ASSERT_GE(value, 0);
      ASSERT_LT(value, 1);
    }
    ASSERT_NEAR(ValueNoise(1, x, y), ValueNoise(1, x + 1e-6, y - 1e-6), 1e-4);
  }
}

TEST(NoiseTest, TheNearestPointIsNearest) {
  constexpr uint64_t kSeed = 8;
  Random random(5);
  for (int i = 0; i < 500; ++i) {
    const double x = random.Between(-10, 10);
    const double y = random.Between(-10, 10);
    double least = 1e9;
    for (int u = -13; u <= 13; ++u) {
      for (int v = -13; v <= 13; ++v) {
        least = std::min(least, std::hypot(u + CellValue(kSeed, u, v) - x, v + CellValue(kSeed + 1, u, v) - y));
      }
    }
    // Only neighbouring cells are searched; beyond a distance of 1 a nearer point may lie two cells away.
    if (least >= 1) continue;
    ASSERT_NEAR(Cellular(kSeed, x, y).distance, least, 1e-9);
  }
}

}  // namespace
}  // namespace sightline::scene
