#include <gtest/gtest.h>

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/image/decode.h"
#include "model/image/orient.h"
#include "tests/model/image/make_exif.h"
#include "tests/model/image/make_image.h"
#include "tests/model/image/make_jpeg.h"
#include "tests/model/image/make_png.h"
#include "tests/model/image/make_webp.h"

namespace sightline::image {
namespace {

// Where pixel (x, y) of the upright image is stored, straight from the EXIF table: value, 0th row, 0th column.
std::array<int, 2> Stored(int orientation, int x, int y, int stored_width, int stored_height) {
  const int last_x = stored_width - 1;
  const int last_y = stored_height - 1;
  switch (orientation) {
    case 2: return {last_x - x, y};           // top, right
    case 3: return {last_x - x, last_y - y};  // bottom, right
    case 4: return {x, last_y - y};           // bottom, left
    case 5: return {y, x};                    // left, top
    case 6: return {y, last_y - x};           // right, top: the camera was turned, rotate 90 degrees clockwise
    case 7: return {last_x - y, last_y - x};  // right, bottom
    case 8: return {last_x - y, x};           // left, bottom
    default: return {x, y};
  }
}

Image Upright(const Image& stored, int orientation) {
  const bool turned = orientation >= 5;
  Image out{turned ? stored.height : stored.width, turned ? stored.width : stored.height, {}, 0, 0};
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const auto [u, v] = Stored(orientation, x, y, stored.width, stored.height);
      const uint8_t* pixel = &stored.rgb[(static_cast<size_t>(v) * stored.width + u) * 3];
      out.rgb.insert(out.rgb.end(), pixel, pixel + 3);
    }
  }
  return out;
}

class OrientationTest : public ::testing::TestWithParam<int> {};

TEST_P(OrientationTest, PixelsAndSizesTurn) {
  Image stored = Noise(7, 5, 1);
  stored.original_width = 70;
  stored.original_height = 50;
  const Image got = ApplyOrientation(stored, GetParam());
  EXPECT_EQ(MaxDifference(got, Upright(stored, GetParam())), 0);
  EXPECT_EQ(got.original_width, GetParam() >= 5 ? 50 : 70);
  EXPECT_EQ(got.original_height, GetParam() >= 5 ? 70 : 50);
}

TEST_P(OrientationTest, EveryFormatIsTurned) {
  const Image stored = Quadrants(64, 32);
  const Image upright = Upright(stored, GetParam());
  const std::pair<const char*, std::string> kFiles[] = {
      {"JPEG", MakeJpeg(stored, {.markers = {{0xE1, MakeExif(GetParam())}}})},
      {"JPEG behind other APP1", MakeJpeg(stored, {.markers = {{0xE1, "http://ns.adobe.com/xap/1.0/ <x/>"},
                                                               {0xE1, MakeExif(GetParam(), false)}}})},
      {"PNG", MakePng(stored, false, MakeTiff(GetParam()))},
      {"interlaced PNG", MakePng(stored, true, MakeTiff(GetParam(), false))},
      {"WebP", MakeWebpWithExif(stored, MakeTiff(GetParam()))},
      {"WebP with prefix", MakeWebpWithExif(stored, MakeExif(GetParam()))},
  };
  for (const auto& [name, bytes] : kFiles) {
    SCOPED_TRACE(name);
    const absl::StatusOr<Header> header = ReadHeader(bytes, {});
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->orientation, GetParam());
    EXPECT_EQ(header->width, 64);
    const absl::StatusOr<Image> image = Decode(bytes, {}, {});
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_LE(MaxDifference(*image, upright), 6);
    EXPECT_EQ(image->original_width, upright.width);
    EXPECT_EQ(image->original_height, upright.height);
    const absl::StatusOr<Image> reduced = Decode(bytes, {}, {.wanted_side = 8});
    ASSERT_TRUE(reduced.ok()) << reduced.status();
    EXPECT_EQ(reduced->width, upright.width / 4);
    EXPECT_EQ(reduced->original_width, upright.width);
    EXPECT_LE(MaxDifference(*reduced, Upright(Quadrants(16, 8), GetParam())), 6);
  }
}

INSTANTIATE_TEST_SUITE_P(All, OrientationTest, ::testing::Range(1, 9),
                         [](const auto& param) { return absl::StrCat("Orientation", param.param); });

}  // namespace
}  // namespace sightline::image
