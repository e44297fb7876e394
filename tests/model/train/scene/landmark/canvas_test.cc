#include "model/train/scene/landmark/canvas.h"

#include <gtest/gtest.h>

#include <numbers>

#include "model/train/scene/landmark/text.h"

namespace sightline::scene::landmark {
namespace {

double Covered(const Canvas& canvas) {
  double sum = 0;
  for (const Point& point : canvas.points) sum += point.colour[0];
  return sum;
}

template <typename Shape>
double Area(const Shape& shape) {
  Canvas canvas(80, 60, {0, 0, 0});
  Fill(shape, {.colour = {1, 1, 1}}, &canvas);
  return Covered(canvas);
}

TEST(FillTest, CoversTheAreaOfTheShape) {
  EXPECT_NEAR(Area(RectangleShape{{10, 10, 40, 30}}), 600, 1);
  EXPECT_NEAR(Area(RectangleShape{{10, 10, 40, 30}, 5}), 600 - (4 - std::numbers::pi) * 25, 3);
  EXPECT_NEAR(Area(EllipseShape{40, 30, 20, 20}), std::numbers::pi * 400, 6);
  EXPECT_NEAR(Area(EllipseShape{40, 30, 25, 10, 0.7}), std::numbers::pi * 250, 12);
  EXPECT_NEAR(Area(StrokeShape{20, 30, 60, 30, 3}), 40 * 6 + std::numbers::pi * 9, 4);
  EXPECT_NEAR(Area(PolygonShape{{{10, 10}, {50, 10}, {10, 50}}}), 800, 4);
  // Shapes that lie outside or have no extent paint nothing, or next to nothing.
  EXPECT_EQ(Area(RectangleShape{{100, 100, 120, 120}}), 0);
  EXPECT_LT(Area(StrokeShape{20, 30, 20, 30, 0}), 2);
  EXPECT_NEAR(Area(RectangleShape{{-1000, -1000, 1000, 1000}}), 80 * 60, 1e-3);
}

TEST(DrawTextTest, StaysInItsBoxAndDiffersByWord) {
  const Typeface face;
  const Bounds box{10, 10, 190, 50};
  Canvas one(200, 60, {0, 0, 0});
  DrawText("MOZART", box, face, {.colour = {1, 1, 1}}, &one);
  Canvas other(200, 60, {0, 0, 0});
  DrawText("MOZARD", box, face, {.colour = {1, 1, 1}}, &other);
  double inside = 0;
  double difference = 0;
  for (int y = 0; y < 60; ++y) {
    for (int x = 0; x < 200; ++x) {
      const float value = one.at(x, y).colour[0];
      difference += std::abs(value - other.at(x, y).colour[0]);
      if (x >= 8 && x < 192 && y >= 8 && y < 52) inside += value;
    }
  }
  EXPECT_GT(inside, 300);
  EXPECT_NEAR(inside, Covered(one), 1);
  EXPECT_GT(difference, 20);
}

TEST(DrawTextTest, TakesAnyText) {
  Random random(8);
  Canvas canvas(64, 32, {0, 0, 0});
  for (const char* text : {"", " ", "\x01\xff", "a", "qQ%.-9"})
    DrawText(text, All(canvas), MakeTypeface(&random), {}, &canvas);
  DrawText("text", {5, 5, 5.5, 20}, MakeTypeface(&random), {}, &canvas);
  for (int i = 0; i < 200; ++i) {
    const std::string word = MakeWord(&random);
    EXPECT_GE(word.size(), 2u);
    EXPECT_LE(word.size(), 12u) << word;
  }
}

}  // namespace
}  // namespace sightline::scene::landmark
