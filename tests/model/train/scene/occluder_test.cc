#include "model/train/scene/occluder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "model/train/scene/render.h"
#include "tests/support/seed.h"

namespace sightline::scene {
namespace {

constexpr int kSide = 96;

Surface Plain(const Colour& colour) {
  Surface surface;
  surface.roundness = 30;
  surface.side = 2;
  surface.points.assign(4, {.colour = colour});
  return surface;
}

Shape Rectangle(double x, double y, double half_width, double half_height) {
  Shape shape;
  shape.x = x;
  shape.y = y;
  shape.half_width = half_width;
  shape.half_height = half_height;
  return shape;
}

TEST(OccluderTest, CoverIsWhatTheObjectFills) {
  Random random(3);
  const Surface surface = Plain({1, 0, 1});
  const View view = MakeView(1.2, &random);
  const std::vector<float> cover = ObjectCover(surface, view, kSide);
  ASSERT_EQ(cover.size(), size_t{kSide} * kSide);
  int inside = 0;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const auto [u, v] = view.ToObject((x + 0.5) / kSide, (y + 0.5) / kSide);
      const float value = cover[static_cast<size_t>(y) * kSide + x];
      const double out = std::max(std::abs(u), std::abs(v));
      if (out < 0.8 || out > 1.2) {
        EXPECT_EQ(value, out < 1 ? 1.0f : 0.0f) << x << " " << y;
      }
      inside += value == 1;
    }
  }
  EXPECT_GT(inside, kSide * kSide / 10);
}

// By hand: an object that fills the left half of the frame, shapes that cover known parts of it.
TEST(OccluderTest, TheHiddenShareIsThatOfTheObjectAlone) {
  std::vector<float> object(size_t{kSide} * kSide, 0.0f);
  for (int y = 0; y < kSide; ++y) std::fill_n(object.begin() + y * kSide, kSide / 2, 1.0f);
  View view;
  EXPECT_EQ(HiddenShare(object, view, kSide, {}), 0);
  // The upper half of the frame, then also the whole right half, which shows no object.
  view.occluders = {Rectangle(0.5, 0.25, 0.6, 0.25)};
  EXPECT_NEAR(HiddenShare(object, view, kSide, {}), 0.5, 0.02);
  const Occluder right{.outline = Rectangle(0.75, 0.5, 0.25, 0.6), .surface = {}};
  EXPECT_NEAR(HiddenShare(object, view, kSide, {{right}}), 0.5, 0.02);
  // What both hide counts once.
  const Occluder quarter{.outline = Rectangle(0, 0, 0.25, 0.75), .surface = {}};
  EXPECT_NEAR(HiddenShare(object, view, kSide, {{quarter}}), 0.5 + 0.125, 0.02);
  EXPECT_EQ(HiddenShare(std::vector<float>(object.size(), 0.0f), view, kSide, {{quarter}}), 0);
}

TEST(OccluderTest, HideTheShareAskedFor) {
  const uint64_t seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  Random random(seed);
  for (int round = 0; round < 12; ++round) {
    const Surface surface = Plain({1, 0, 1});
    const View view = MakeView(random.Between(0.7, 1.4), &random);
    const std::vector<float> object = ObjectCover(surface, view, kSide);
    const double clutter = HiddenShare(object, view, kSide, {});
    for (const double share : {0.0, 0.05, 0.3, 0.6, 0.9}) {
      const std::vector<Occluder> occluders = MakeOccluders(object, view, kSide, share, &random);
      const double hidden = HiddenShare(object, view, kSide, occluders);
      EXPECT_NEAR(hidden, std::max(share, clutter), 0.02) << "share " << share;
      EXPECT_LE(occluders.size(), 3u);
      EXPECT_EQ(occluders.empty(), share <= clutter);
    }
  }
}

TEST(OccluderTest, AnObjectThatIsNotInTheFrameIsLeftAlone) {
  Random random(1);
  const std::vector<float> object(size_t{kSide} * kSide, 0.0f);
  EXPECT_TRUE(MakeOccluders(object, View(), kSide, 0.9, &random).empty());
}

// What the measure says is what the picture shows: magenta pixels that turned into others.
TEST(OccluderTest, ThePictureShowsWhatIsMeasured) {
  Random random(11);
  const Surface surface = Plain({1, 0, 1});
  View view = MakeView(1, &random);
  view.light = Light();
  view.occluders.clear();
  const std::vector<float> object = ObjectCover(surface, view, kSide);
  const std::vector<Occluder> occluders = MakeOccluders(object, view, kSide, 0.6, &random);
  const image::Image image = Render(surface, view, kSide, &random, occluders);
  double whole = 0, magenta = 0;
  for (size_t i = 0; i < object.size(); ++i) {
    if (object[i] < 1) continue;
    ++whole;
    magenta += image.rgb[3 * i] == 255 && image.rgb[3 * i + 1] == 0 && image.rgb[3 * i + 2] == 255;
  }
  EXPECT_NEAR(1 - magenta / whole, 0.6, 0.06);
}

// Foreign patches have a texture of their own.
TEST(OccluderTest, OccludersAreTextured) {
  Random random(5);
  const View view = MakeView(1, &random);
  const std::vector<float> object(size_t{kSide} * kSide, 1.0f);
  for (const Occluder& occluder : MakeOccluders(object, view, kSide, 0.5, &random)) {
    Frame frame(kSide);
    PaintOccluder(occluder, Light(), &frame);
    double sum = 0, square = 0, count = 0;
    ForEachPixelOf(occluder.outline, kSide, [&](int x, int y, double, double, double cover) {
      if (cover < 1) return;
      const double green = frame.at(x, y)[1];
      sum += green;
      square += green * green;
      ++count;
    });
    ASSERT_GT(count, 20);
    EXPECT_GT(square / count - sum * sum / count / count, 1e-4);
  }
}

}  // namespace
}  // namespace sightline::scene
