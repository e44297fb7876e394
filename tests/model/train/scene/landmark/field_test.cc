#include "model/train/scene/landmark/field.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sightline::scene::landmark {
namespace {

TEST(MakeFieldTest, HasMeanZeroAndDeviationOne) {
  for (const auto& [width, height] : {std::pair{64, 64}, {33, 7}, {1, 50}, {2, 1}}) {
    Random random(5);
    const Field field = MakeField(width, height, {.cells_x = 4, .cells_y = 3}, &random);
    ASSERT_EQ(field.values.size(), static_cast<size_t>(width) * height);
    double sum = 0;
    double squares = 0;
    for (const float value : field.values) {
      sum += value;
      squares += value * value;
    }
    const double count = static_cast<double>(field.values.size());
    EXPECT_NEAR(sum / count, 0, 1e-3) << width << "x" << height;
    EXPECT_NEAR(squares / count, 1, 1e-2) << width << "x" << height;
  }
}

// Neighbours are alike, points far apart are not: the more so the smoother the field is asked to be.
TEST(MakeFieldTest, EnergyFallsWithFrequency) {
  const auto neighbours = [](double gain) {
    Random random(6);
    const Field field = MakeField(128, 128, {.cells_x = 2, .cells_y = 2, .octaves = 7, .gain = gain}, &random);
    double product = 0;
    for (int y = 0; y < 128; ++y) {
      for (int x = 0; x + 1 < 128; ++x) product += field.at(x, y) * field.at(x + 1, y);
    }
    return product / (128 * 127);
  };
  EXPECT_GT(neighbours(0.4), 0.98);
  EXPECT_GT(neighbours(0.4), neighbours(0.9) + 0.02);
}

}  // namespace
}  // namespace sightline::scene::landmark
