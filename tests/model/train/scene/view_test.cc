#include "model/train/scene/view.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "model/train/scene/render.h"
#include "tests/support/seed.h"

namespace sightline::scene {
namespace {

TEST(ViewTest, MostOfTheObjectIsInTheFrame) {
  const uint64_t seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  Random random(seed);
  for (int round = 0; round < 200; ++round) {
    const View view = MakeView(random.Between(0.7, 1.4), &random);
    int seen = 0;
    for (int y = 0; y < 32; ++y) {
      for (int x = 0; x < 32; ++x) {
        const auto [u, v] = view.ToObject((x + 0.5) / 32, (y + 0.5) / 32);
        seen += std::abs(u) <= 1 && std::abs(v) <= 1;
      }
    }
    EXPECT_GT(seen, 200) << "of 1024 samples";
  }
}

TEST(ViewTest, StraightLinesStayStraight) {
  Random random(4);
  const View view = MakeView(1.2, &random);
  const auto [x0, y0] = view.ToObject(0.2, 0.3);
  const auto [x1, y1] = view.ToObject(0.5, 0.5);
  const auto [x2, y2] = view.ToObject(0.8, 0.7);
  EXPECT_NEAR((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0), 0, 1e-9);
}

TEST(RenderTest, ShowsTheObjectWhereTheViewPutsIt) {
  Surface surface;
  surface.roundness = 30;
  surface.side = 2;
  surface.points.assign(4, {.colour = {1, 0, 1}});
  Random random(6);
  View view = MakeView(1, &random);
  view.light = Light();
  view.occluders.clear();
  const image::Image image = Render(surface, view, 64, &random);
  ASSERT_EQ(image.rgb.size(), 64u * 64 * 3);
  int checked = 0;
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      const auto [u, v] = view.ToObject((x + 0.5) / 64, (y + 0.5) / 64);
      if (std::abs(u) > 0.85 || std::abs(v) > 0.85) continue;
      const uint8_t* pixel = &image.rgb[(y * 64 + x) * 3];
      EXPECT_EQ(pixel[0], 255);
      EXPECT_EQ(pixel[1], 0);
      EXPECT_EQ(pixel[2], 255);
      ++checked;
    }
  }
  EXPECT_GT(checked, 500);
}

}  // namespace
}  // namespace sightline::scene
