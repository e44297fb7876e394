#include "model/preprocess/planes.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "model/image/resize.h"

namespace sightline::model {
namespace {

constexpr unsigned kSeed = 17;

image::Image NoiseImage(int width, int height) {
  image::Image image{width, height, std::vector<uint8_t>(size_t{3} * width * height), width, height};
  std::mt19937 random(kSeed);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random());
  return image;
}

TEST(ResizePlaneTest, SquashIsOneResize) {
  const image::Image image = NoiseImage(90, 50);
  const PreprocessConfig config{.mode = ResizeMode::kSquash, .image_size = 32};
  const image::PixelRect region{10, 5, 60, 40};
  EXPECT_EQ(ResizePlane(config, image, region, {32, 32}).rgb, image::ResizeBicubic(image, region, 32, 32).rgb);
}

TEST(ResizePlaneTest, CentreCropCutsTheMiddleOfTheWholeResized) {
  const PreprocessConfig config{.mode = ResizeMode::kCentreCrop, .short_side = 36, .image_size = 32};
  for (const auto& [width, height] : {std::pair(90, 50), std::pair(50, 90), std::pair(40, 40), std::pair(5, 3)}) {
    const image::Image image = NoiseImage(width, height);
    const image::PixelRect region{1, 1, width - 1, height - 2};
    const image::Image plane = ResizePlane(config, image, region, {32, 32});
    const CentreCut cut = CutFor(config, {32, 32}, region.width, region.height);
    const image::Image whole = image::ResizeBicubic(image, region, cut.width, cut.height);
    ASSERT_EQ(plane.width, 32);
    ASSERT_EQ(plane.height, 32);
    for (int y = 0; y < 32; ++y) {
      for (int x = 0; x < 32; ++x) {
        for (int c = 0; c < 3; ++c) {
          ASSERT_EQ(plane.rgb[3 * static_cast<size_t>(y * 32 + x) + c],
                    whole.rgb[3 * static_cast<size_t>((y + cut.y) * whole.width + x + cut.x) + c]);
        }
      }
    }
  }
}

TEST(ResizePlaneTest, StripsOfAnyLengthTakeLittleMemory) {
  const PreprocessConfig config{.mode = ResizeMode::kCentreCrop, .short_side = 248, .image_size = 224};
  for (const auto& [width, height] : {std::pair(16'384, 1), std::pair(1, 16'384), std::pair(16'000, 2)}) {
    const image::Image image = NoiseImage(width, height);
    const image::Image plane = ResizePlane(config, image, {0, 0, width, height}, {224, 224});
    EXPECT_EQ(plane.rgb.size(), 3u * 224 * 224);
  }
}

// Paints everything but the part that is said to be seen, and looks whether the plane changes.
TEST(SeenPartTest, NothingOutsideOfItReachesThePlane) {
  const PreprocessConfig config{.mode = ResizeMode::kCentreCrop, .short_side = 40, .image_size = 32};
  for (const auto& [width, height] : {std::pair(90, 50), std::pair(50, 90), std::pair(64, 64), std::pair(900, 60)}) {
    SCOPED_TRACE(testing::Message() << width << "x" << height);
    const image::CropBox seen = SeenPart(config, width, height);
    EXPECT_LT(std::max(seen.x1 - seen.x0, seen.y1 - seen.y0), 1);
    // A square of the picture, in its middle, to a pixel of the resized picture.
    const double pixel = std::min(width, height) / 40.0;
    EXPECT_NEAR((seen.x1 - seen.x0) * width, 32 * pixel, pixel);
    EXPECT_NEAR((seen.y1 - seen.y0) * height, 32 * pixel, pixel);
    EXPECT_NEAR((seen.x0 + seen.x1) / 2 * width, width / 2.0, pixel);
    EXPECT_NEAR((seen.y0 + seen.y1) / 2 * height, height / 2.0, pixel);

    const image::Image image = NoiseImage(width, height);
    image::Image painted = image;
    // A bicubic pixel of the plane looks two source pixels further, or two of its own size when it shrinks.
    const double around = 2 * std::max(1.0, pixel) + 1;
    int changed = 0;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const bool outside = x < seen.x0 * width - around || x > seen.x1 * width + around ||
                             y < seen.y0 * height - around || y > seen.y1 * height + around;
        if (!outside) continue;
        ++changed;
        for (int c = 0; c < 3; ++c) painted.rgb[static_cast<size_t>((y * width + x) * 3 + c)] ^= 0xff;
      }
    }
    EXPECT_GT(changed, 0);
    const image::PixelRect whole{0, 0, width, height};
    EXPECT_EQ(ResizePlane(config, painted, whole, {32, 32}).rgb, ResizePlane(config, image, whole, {32, 32}).rgb);
  }
}

TEST(SeenPartTest, OtherModesSeeAll) {
  for (const ResizeMode mode : {ResizeMode::kFit, ResizeMode::kSquash}) {
    const PreprocessConfig config{.mode = mode, .image_size = 32};
    const image::CropBox seen = SeenPart(config, 90, 50);
    EXPECT_EQ(seen.x0, 0);
    EXPECT_EQ(seen.y0, 0);
    EXPECT_EQ(seen.x1, 1);
    EXPECT_EQ(seen.y1, 1);
  }
}

}  // namespace
}  // namespace sightline::model
