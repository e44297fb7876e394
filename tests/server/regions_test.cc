#include "server/services/regions.h"

#include <gtest/gtest.h>

#include "tests/support/fake_model.h"

namespace sightline::server {
namespace {

using image::CropBox;

void ExpectBox(const CropBox& box, double x0, double y0, double x1, double y1) {
  EXPECT_NEAR(box.x0, x0, 1e-12);
  EXPECT_NEAR(box.y0, y0, 1e-12);
  EXPECT_NEAR(box.x1, x1, 1e-12);
  EXPECT_NEAR(box.y1, y1, 1e-12);
}

TEST(RegionsTest, AWholeImageIsWhole) {
  ExpectBox(SeenRegion(nullptr, 400, 300, std::nullopt), 0, 0, 1, 1);
  ExpectBox(SeenRegion(nullptr, 0, 0, std::nullopt), 0, 0, 1, 1);
  ExpectBox(SeenRegion(nullptr, index::Record()), 0, 0, 1, 1);
}

TEST(RegionsTest, ACropIsAPartOfTheWholeImage) {
  ExpectBox(SeenRegion(nullptr, 400, 200, CropBox{.x0 = 0.25, .y0 = 0.5, .x1 = 0.75, .y1 = 1}), 0.25, 0.5, 0.75, 1);
  ExpectBox(
      SeenRegion(nullptr, 400, 200, CropBox{.x0 = 100, .y0 = 50, .x1 = 300, .y1 = 150, .unit = CropBox::Unit::kPixel}),
      0.25, 0.25, 0.75, 0.75);
  // What lies outside of the image was not embedded.
  ExpectBox(
      SeenRegion(nullptr, 400, 200, CropBox{.x0 = -50, .y0 = 100, .x1 = 200, .y1 = 900, .unit = CropBox::Unit::kPixel}),
      0, 0.5, 0.5, 1);
}

TEST(RegionsTest, ACentreCropSeesTheMiddleOfTheCrop) {
  testing::FakeModel model;
  model.SetSeenPart({.x0 = 0.25, .y0 = 0, .x1 = 0.75, .y1 = 1});
  ExpectBox(SeenRegion(&model, 400, 200, std::nullopt), 0.25, 0, 0.75, 1);
  ExpectBox(SeenRegion(&model, 400, 200, CropBox{.x0 = 0.5, .y0 = 0, .x1 = 1, .y1 = 0.5}), 0.625, 0, 0.875, 0.5);
}

TEST(RegionsTest, AStoredImageKnowsItsCrop) {
  index::Record record;
  record.width = 100;
  record.height = 50;
  record.crop = {.in_pixels = true, .x0 = 50, .y0 = 10, .x1 = 100, .y1 = 20};
  ExpectBox(SeenRegion(nullptr, record), 0.5, 0.2, 1, 0.4);
}

TEST(RegionsTest, CellsTileTheRegion) {
  const CropBox region{.x0 = 0.2, .y0 = 0.4, .x1 = 0.8, .y1 = 0.7};
  double area = 0;
  for (int cell = 0; cell < 6; ++cell) {
    v1::CropBox box;
    PutCell(region, 2, 3, cell, &box);
    EXPECT_EQ(box.unit(), v1::CropBox::UNIT_FRACTION);
    EXPECT_NEAR(box.x0(), 0.2 + 0.2 * (cell % 3), 1e-12);
    EXPECT_NEAR(box.y0(), 0.4 + 0.15 * (cell / 3), 1e-12);
    area += (box.x1() - box.x0()) * (box.y1() - box.y0());
  }
  EXPECT_NEAR(area, 0.6 * 0.3, 1e-12);
}

}  // namespace
}  // namespace sightline::server
