#include "model/preprocess/planes.h"

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

}  // namespace
}  // namespace sightline::model
