#include "model/image/geometry.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/status.h"

namespace sightline::image {
namespace {

void ExpectRect(const absl::StatusOr<PixelRect>& got, int x, int y, int width, int height) {
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->x, x);
  EXPECT_EQ(got->y, y);
  EXPECT_EQ(got->width, width);
  EXPECT_EQ(got->height, height);
}

constexpr CropBox Pixels(double x0, double y0, double x1, double y1) { return {x0, y0, x1, y1, CropBox::Unit::kPixel}; }

TEST(ResolveCropTest, FractionsAreOfTheDecodedImage) {
  ExpectRect(ResolveCrop({}, 400, 300, 4000, 3000), 0, 0, 400, 300);
  ExpectRect(ResolveCrop({0.25, 0.5, 0.75, 1.0}, 400, 300, 4000, 3000), 100, 150, 200, 150);
}

TEST(ResolveCropTest, PixelsAreOfTheOriginal) {
  ExpectRect(ResolveCrop(Pixels(1000, 0, 3000, 1500), 400, 300, 4000, 3000), 100, 0, 200, 150);
}

TEST(ResolveCropTest, BoxesAreCutToTheImage) {
  ExpectRect(ResolveCrop({-1, -0.5, 0.5, 3}, 100, 100, 100, 100), 0, 0, 50, 100);
}

TEST(ResolveCropTest, AThinBoxKeepsOnePixel) {
  ExpectRect(ResolveCrop(Pixels(50.2, 99.7, 50.3, 99.8), 100, 100, 100, 100), 50, 99, 1, 1);
  ExpectRect(ResolveCrop(Pixels(3999, 2999, 4000, 3000), 400, 300, 4000, 3000), 399, 299, 1, 1);
  ExpectRect(ResolveCrop({1e-300, 0, 2e-300, 1}, 1, 1, 1, 1), 0, 0, 1, 1);
}

TEST(ResolveCropTest, BadBoxesAreNamed) {
  for (const CropBox& box :
       {CropBox{0.5, 0, 0.5, 1}, CropBox{0.6, 0, 0.5, 1}, CropBox{1, 0, 2, 1}, CropBox{-2, 0, -1, 1},
        CropBox{NAN, 0, 1, 1}, CropBox{0, 0, INFINITY, 1}, Pixels(100, 0, 120, 10), Pixels(0, -5, 10, 0)}) {
    const absl::Status status = ResolveCrop(box, 100, 100, 100, 100).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(base::GetErrorInfo(status).reason, "CROP_BOX_INVALID");
  }
}

}  // namespace
}  // namespace sightline::image
