#include "model/train/scene/landmark/solid.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "model/train/scene/random.h"

namespace sightline::scene::landmark {
namespace {

// How far outside a solid a point in its axes lies; negative inside.
float Outside(const Solid& solid, const Vec& p) {
  if (solid.kind == Solid::Kind::kEllipsoid) {
    const Vec unit = {p.x / solid.half.x, p.y / solid.half.y, p.z / solid.half.z};
    return Length(unit) - 1;
  }
  const float radius = solid.half.x + (solid.half.z - solid.half.x) * (p.y / solid.half.y + 1) / 2;
  return std::hypot(p.x, p.z) - radius;
}

// The first change from outside to inside along the ray, by small steps.
std::optional<float> Marched(const Solid& solid, const Vec& eye, const Vec& direction) {
  constexpr float kStep = 0.002f;
  float before = 1;
  for (float t = 0; t < 12; t += kStep) {
    const Vec offset = eye + direction * t - solid.pose.origin;
    const Vec local = {Dot(offset, solid.pose.x), Dot(offset, solid.pose.y), Dot(offset, solid.pose.z)};
    const float now = Outside(solid, local);
    if (before > 0 && now <= 0) return std::abs(local.y) <= solid.half.y ? std::optional(t) : std::nullopt;
    before = now;
  }
  return std::nullopt;
}

TEST(IntersectTest, RoundSolidsAgreeWithMarching) {
  const uint64_t seed = 11;
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Random random(seed);
  const Canvas canvas(4, 4, {1, 1, 1});
  const Texture texture(canvas);
  int hits = 0;
  for (int i = 0; i < 300; ++i) {
    Solid solid;
    solid.kind = i % 2 == 0 ? Solid::Kind::kEllipsoid : Solid::Kind::kFrustum;
    solid.texture = &texture;
    const auto some = [&random](double low, double high) { return static_cast<float>(random.Between(low, high)); };
    solid.pose = MakePose({some(-1, 1), some(-1, 1), some(-1, 1)}, some(-3, 3), some(-1, 1), some(-1, 1));
    solid.half = {some(0.3, 1), some(0.4, 1), some(0.3, 1)};
    const Vec eye = {some(-1, 1), some(-1, 1), 6};
    const Vec direction = Normal(Vec{some(-1, 1), some(-1, 1), some(-1, 1)} - eye);
    Hit hit;
    const bool met = Intersect(solid, eye, direction, 0.01f, 1e9f, &hit);
    const std::optional<float> expected = Marched(solid, eye, direction);
    if (met != expected.has_value()) {
      // Grazing rays and rays through the rim may be told differently by steps.
      if (met) {
        EXPECT_LT(std::abs(Dot(hit.normal, direction)), 0.2f) << i;
      }
      continue;
    }
    if (!met) continue;
    ++hits;
    EXPECT_NEAR(hit.distance, *expected, 0.02f) << i;
    EXPECT_NEAR(Length(hit.normal), 1, 1e-4f);
    EXPECT_LT(Dot(hit.normal, direction), 1e-3f) << "the normal looks at the viewer";
    EXPECT_NEAR(Dot(hit.normal, hit.along_u), 0, 1e-3f);
    EXPECT_NEAR(Dot(hit.normal, hit.along_v), 0, 1e-3f);
    EXPECT_TRUE(Blocks(solid, eye, direction, 1e9f));
    EXPECT_FALSE(Intersect(solid, eye, direction, 0.01f, hit.distance * 0.99f, &hit));
  }
  EXPECT_GT(hits, 60);
}

TEST(IntersectTest, RectanglesGiveTextureCoordinatesAndAreSeenFromTheFront) {
  const Canvas canvas(8, 8, {1, 1, 1});
  const Texture texture(canvas);
  Solid solid;
  solid.texture = &texture;
  solid.half = {2, 1, 0};
  Hit hit;
  ASSERT_TRUE(Intersect(solid, {1, 0.5f, 3}, {0, 0, -1}, 0.01f, 1e9f, &hit));
  EXPECT_NEAR(hit.distance, 3, 1e-5f);
  EXPECT_NEAR(hit.u, 0.75, 1e-5f);
  EXPECT_NEAR(hit.v, 0.25, 1e-5f);
  EXPECT_FALSE(Intersect(solid, {1, 0.5f, -3}, {0, 0, 1}, 0.01f, 1e9f, &hit));
  EXPECT_FALSE(Intersect(solid, {1, 1.5f, 3}, {0, 0, -1}, 0.01f, 1e9f, &hit));
  EXPECT_FALSE(Intersect(solid, {1, 0.5f, 3}, {1, 0, 0}, 0.01f, 1e9f, &hit));
  solid.back = true;
  EXPECT_TRUE(Intersect(solid, {1, 0.5f, -3}, {0, 0, 1}, 0.01f, 1e9f, &hit));
  solid.kind = Solid::Kind::kDisc;
  EXPECT_FALSE(Intersect(solid, {1.9f, 0.9f, 3}, {0, 0, -1}, 0.01f, 1e9f, &hit));
}

}  // namespace
}  // namespace sightline::scene::landmark
