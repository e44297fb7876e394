#include "model/train/scene/landmark/tracer.h"

#include <gtest/gtest.h>

namespace sightline::scene::landmark {
namespace {

Texture Plain(const Colour& colour) { return Texture(Canvas(8, 8, colour)); }

Solid Square(float z, float half, int owner, const Texture& texture) {
  Solid solid;
  solid.pose.origin = {0, 0, z};
  solid.half = {half, half, 0};
  solid.texture = &texture;
  solid.owner = owner;
  return solid;
}

Stage StageOf(std::vector<Solid> solids) {
  Stage stage;
  stage.camera.pose.origin = {0, 0, 4};
  stage.camera.focal = 2;
  stage.light.shadow = 0;
  stage.solids = std::move(solids);
  return stage;
}

TEST(TraceTest, NearerSolidsHideOthersInAnyOrder) {
  const Texture white = Plain({1, 1, 1});
  for (const bool swapped : {false, true}) {
    std::vector<Solid> solids = {Square(0, 1, kInstance, white), Square(1, 0.375f, 7, white)};
    if (swapped) std::swap(solids[0], solids[1]);
    const Picture picture = Trace(StageOf(solids), 65);
    const auto owner = [&picture](int x, int y) { return picture.owner[static_cast<size_t>(y) * 65 + x]; };
    EXPECT_EQ(owner(32, 32), 7);
    EXPECT_EQ(owner(20, 32), kInstance);  // half the side of the square at z = 0 is a quarter of the picture's
    EXPECT_EQ(owner(10, 32), kNobody);
    EXPECT_NEAR(picture.depth[32 * 65 + 32], 3, 1e-3f);
  }
}

TEST(LookTest, CountsWhatIsHidden) {
  const Texture white = Plain({1, 1, 1});
  // Seen from 4 units a square of half 0.5 at z = 1 covers as much as one of 2/3 at z = 0.
  const Visibility seen = Look(StageOf({Square(0, 1, kInstance, white), Square(1, 0.5f, 0, white)}), 120);
  EXPECT_NEAR(seen.covered / 14400.0, 0.25, 0.01);
  EXPECT_NEAR(seen.hidden(), 4.0 / 9, 0.02);
  EXPECT_NEAR(seen.share(), 0.25 * 5 / 9, 0.01);
  const Visibility none = Look(StageOf({Square(1, 0.5f, 0, white)}), 20);
  EXPECT_EQ(none.covered, 0);
  EXPECT_EQ(none.hidden(), 1);
}

TEST(TraceTest, HolesLetThroughWhatIsBehind) {
  Canvas canvas(16, 16, {1, 1, 1});
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 8; ++x) canvas.at(x, y).alpha = 0;
  }
  const Texture half(canvas);
  const Texture white = Plain({1, 1, 1});
  const Picture picture = Trace(StageOf({Square(1, 1, 5, half), Square(0, 1, kInstance, white)}), 64);
  EXPECT_EQ(picture.owner[32 * 64 + 24], kInstance);
  EXPECT_EQ(picture.owner[32 * 64 + 40], 5);
}

// Straight light on a matt white surface: what is received is what is seen.
TEST(TraceTest, LightIsAlbedoTimesWhatFallsOnIt) {
  const Texture grey = Plain({0.5f, 0.5f, 0.5f});
  Stage stage = StageOf({Square(0, 3, kInstance, grey)});
  stage.light.sun_direction = {0, 0, 1};
  stage.light.sun = {1, 0.5f, 0};
  stage.light.sky = stage.light.ground = {0.2f, 0.2f, 0.2f};
  const Picture picture = Trace(stage, 16);
  const Vec& light = picture.light[8 * 16 + 8];
  EXPECT_NEAR(light.x, 0.25f * 1.2f, 0.01f);
  EXPECT_NEAR(light.y, 0.25f * 0.7f, 0.01f);
  EXPECT_NEAR(light.z, 0.25f * 0.2f, 0.01f);
}

TEST(TraceTest, WhatStandsInTheSunThrowsAShadow) {
  const Texture white = Plain({1, 1, 1});
  Stage stage = StageOf({Square(0, 3, kInstance, white), Square(1, 0.3f, 2, white)});
  stage.light.sun_direction = Normal({1, 0, 1});
  stage.light.sky = stage.light.ground = {0.1f, 0.1f, 0.1f};
  stage.light.shadow = 1;
  const Picture picture = Trace(stage, 64);
  // The shadow lies one unit to the left: a quarter of the picture.
  EXPECT_LT(picture.light[32 * 64 + 16].x, 0.2f);
  EXPECT_GT(picture.light[32 * 64 + 50].x, 0.6f);
}

}  // namespace
}  // namespace sightline::scene::landmark
