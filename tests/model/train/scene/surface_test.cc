#include "model/train/scene/surface.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/train/scene/pattern.h"

namespace sightline::scene {
namespace {

TEST(SurfaceTest, ColoursAreInRangeAndVary) {
  for (int instance = 0; instance < 6; ++instance) {
    const Surface surface = MakeSurface(1, instance);
    double sum = 0;
    double square = 0;
    for (const SurfacePoint& point : surface.points) {
      for (float value : point.colour) {
        ASSERT_GE(value, 0.0f);
        ASSERT_LE(value, 1.0f);
      }
      sum += point.colour[1];
      square += point.colour[1] * point.colour[1];
    }
    const auto count = static_cast<double>(surface.points.size());
    EXPECT_GT(square / count - sum * sum / count / count, 1e-4) << "instance " << instance << " is flat";
  }
}

TEST(SurfaceTest, OutlinesLieInTheSquare) {
  for (double roundness : {2.0, 4.0, 30.0}) {
    Surface surface;
    surface.roundness = roundness;
    EXPECT_TRUE(surface.Contains(0, 0));
    EXPECT_TRUE(surface.Contains(-0.99, 0));
    EXPECT_FALSE(surface.Contains(1.01, 0));
    EXPECT_FALSE(surface.Contains(0, -1e9));
    EXPECT_FALSE(surface.Contains(NAN, 0));
    EXPECT_EQ(surface.Contains(0.8, 0.8), roundness > 2);
  }
}

TEST(SurfaceTest, SamplingMeetsThePoints) {
  const Surface surface = MakeSurface(2, 3);
  const double step = 2.0 / (surface.side - 1);
  const SurfacePoint& stored = surface.points[static_cast<size_t>(10) * surface.side + 20];
  const SurfacePoint sampled = surface.At(-1 + 20 * step, -1 + 10 * step);
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(sampled.colour[c], stored.colour[c], 1e-4);
  surface.At(1, 1);
  surface.At(-1, -1);
}

TEST(PatternTest, EveryKindCoversSomeOfThePlane) {
  for (int kind = 0; kind < kPatternKinds; ++kind) {
    Random random(static_cast<uint64_t>(kind));
    const Pattern pattern = MakePattern(static_cast<PatternKind>(kind), &random);
    double sum = 0;
    for (int i = 0; i < 10000; ++i) {
      const double cover = pattern.Cover(random.Between(-1, 1), random.Between(-1, 1));
      ASSERT_GE(cover, 0);
      ASSERT_LE(cover, 1);
      sum += cover;
    }
    EXPECT_GT(sum, 300) << "kind " << kind;
    EXPECT_LT(sum, 9700) << "kind " << kind;
  }
}

}  // namespace
}  // namespace sightline::scene
