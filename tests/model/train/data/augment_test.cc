#include "model/train/data/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/image/resize.h"
#include "model/train/data/warp.h"
#include "tests/model/image/make_image.h"
#include "tests/support/seed.h"

namespace sightline::train {
namespace {

using image::Image;
using scene::Random;

Image Apply(const Image& image, int height, int width, const AugmentConfig& config, uint64_t seed) {
  Random random(seed);
  return Augment(image, height, width, config, random);
}

Image Flat(int width, int height, uint8_t r, uint8_t g, uint8_t b) {
  Image image{.width = width, .height = height, .rgb = {}, .original_width = width, .original_height = height};
  for (int i = 0; i < width * height; ++i) image.rgb.insert(image.rgb.end(), {r, g, b});
  return image;
}

// The values of a plane a + bx + cy, which bilinear sampling gives back exactly.
Image Ramp(int width, int height) {
  Image image = Flat(width, height, 0, 0, 0);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* rgb = image.rgb.data() + (y * width + x) * 3;
      rgb[0] = static_cast<uint8_t>(x);
      rgb[1] = static_cast<uint8_t>(y);
      rgb[2] = static_cast<uint8_t>(255 - x);
    }
  }
  return image;
}

AugmentConfig Only(double AugmentConfig::*member, double value) {
  AugmentConfig config;
  config.*member = value;
  return config;
}

TEST(AugmentTest, TheDefaultsOnlyResize) {
  for (const auto& [width, height] : {std::pair(64, 48), {31, 77}, {1, 1}, {300, 2}}) {
    const Image image = image::Noise(width, height, 3);
    const Image seen = Apply(image, 40, 56, {}, 1);
    EXPECT_EQ(seen.width, 56);
    EXPECT_EQ(seen.height, 40);
    EXPECT_EQ(seen.rgb, image::ResizeBicubic(image, {0, 0, width, height}, 56, 40).rgb);
  }
}

TEST(AugmentTest, ACertainFlipMirrors) {
  const Image seen = Apply(image::Quadrants(40, 40), 40, 40, Only(&AugmentConfig::flip, 1), 1);
  Image mirrored = image::Quadrants(40, 40);
  for (int y = 0; y < 40; ++y) {
    for (int x = 0; x < 40; ++x) {
      for (int c = 0; c < 3; ++c) {
        mirrored.rgb[static_cast<size_t>((y * 40 + x) * 3 + c)] =
            image::Quadrants(40, 40).rgb[static_cast<size_t>((y * 40 + 39 - x) * 3 + c)];
      }
    }
  }
  EXPECT_EQ(seen.rgb, mirrored.rgb);
}

// Every pixel of the result against the plane that the photograph is, at the place that the homography names.
TEST(AugmentTest, WarpsShowWhatTheHomographyPointsAt) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  const Image ramp = Ramp(200, 180);
  AugmentConfig config;
  config.crop_area = 0.3;
  config.crop_stretch = 1.5;
  config.perspective = 0.2;
  config.rotate = 40;
  config.flip = 0.5;
  for (uint64_t i = 0; i < 30; ++i) {
    Random random(seed + i);
    const View view = DrawView(ramp.width, ramp.height, config, random);
    constexpr int kHeight = 150, kWidth = 170;  // about the resolution of the photograph: nothing is reduced
    const Image seen = Render(ramp, view, kHeight, kWidth, /*mirror_beyond=*/true);
    int checked = 0;
    for (int row = 0; row < kHeight; ++row) {
      for (int column = 0; column < kWidth; ++column) {
        const double u = (column + 0.5) / kWidth, v = (row + 0.5) / kHeight;
        const auto& m = view.matrix;
        const double w = m[6] * u + m[7] * v + m[8];
        ASSERT_GT(w, 0);
        const double x = (m[0] * u + m[1] * v + m[2]) / w - 0.5, y = (m[3] * u + m[4] * v + m[5]) / w - 0.5;
        if (x < 1 || y < 1 || x > ramp.width - 2 || y > ramp.height - 2) continue;
        const uint8_t* rgb = seen.rgb.data() + (row * kWidth + column) * 3;
        ASSERT_NEAR(rgb[0], x, 2.1);  // a reduction by two averages two values of the ramp
        ASSERT_NEAR(rgb[1], y, 2.1);
        ASSERT_NEAR(rgb[2], 255 - x, 2.1);
        ++checked;
      }
    }
    EXPECT_GT(checked, kHeight * kWidth / 4);
  }
}

TEST(AugmentTest, ReducedWarpsAreAntialiased) {
  // A chequerboard of single pixels seen from afar is grey.
  Image board = Flat(512, 512, 0, 0, 0);
  for (int y = 0; y < 512; ++y) {
    for (int x = 0; x < 512; ++x) {
      std::fill_n(board.rgb.data() + (y * 512 + x) * 3, 3, static_cast<uint8_t>((x + y) % 2 == 0 ? 255 : 0));
    }
  }
  const Image seen = Apply(board, 64, 64, Only(&AugmentConfig::rotate, 20), 4);
  for (const uint8_t value : seen.rgb) EXPECT_NEAR(value, 128, 3);
}

TEST(AugmentTest, WhatLiesBeyondIsMirroredOrBlack) {
  const Image white = Flat(50, 50, 255, 255, 255);
  AugmentConfig config;
  config.rotate = 45;
  int black = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Image turned = Apply(white, 50, 50, config, seed);
    EXPECT_EQ(*std::min_element(turned.rgb.begin(), turned.rgb.end()), 255);
    const Image padded = Apply(white, 50, 50, Only(&AugmentConfig::scale_per_axis, 0.5), seed);
    black += *std::min_element(padded.rgb.begin(), padded.rgb.end()) == 0 ? 1 : 0;
  }
  // Three of four have a factor below 1 along one axis or the other.
  EXPECT_GE(black, 8);
  EXPECT_LE(black, 20);
}

TEST(AugmentTest, CropsKeepTheAreaTheyAreTold) {
  AugmentConfig config;
  config.crop_area = 0.25;
  config.crop_stretch = 1.4;
  double least = 2, most = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const View view = DrawView(400, 300, config, random);
    const auto& m = view.matrix;
    const double area = m[0] * m[4] / (400 * 300);
    least = std::min(least, area);
    most = std::max(most, area);
    EXPECT_GE(m[2], 0);
    EXPECT_GE(m[5], 0);
    EXPECT_LE(m[2] + m[0], 400 + 1e-9);
    EXPECT_LE(m[5] + m[4], 300 + 1e-9);
    const double stretch = m[0] / m[4] / (400.0 / 300);
    EXPECT_LE(std::abs(std::log(stretch)), std::log(1.4) + 1e-9);
  }
  EXPECT_NEAR(least, 0.25, 0.02);
  EXPECT_GT(most, 0.85);
}

TEST(AugmentTest, GreyAndFlatPicturesStayWhatTheyAre) {
  const Image grey = Flat(20, 20, 90, 90, 90);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    AugmentConfig config;
    config.hue = 0.5;
    config.saturation = config.contrast = 0.9;
    config.blur = 3;
    EXPECT_LE(image::MaxDifference(Apply(grey, 20, 20, config, seed), grey), 1) << seed;
  }
  const Image colour = Flat(20, 20, 200, 40, 90);
  const Image without = Apply(colour, 20, 20, Only(&AugmentConfig::grey, 1), 1);
  const int luma = static_cast<int>(std::lround(0.299 * 200 + 0.587 * 40 + 0.114 * 90));
  EXPECT_LE(image::MaxDifference(without, Flat(20, 20, luma, luma, luma)), 1);
}

TEST(AugmentTest, AThirdOfACircleSwapsTheChannels) {
  // The turn is drawn; whichever it is, red's turn is that of the grey axis: the sum stays, where nothing is cut off.
  const Image colour = Flat(4, 4, 140, 120, 100);
  std::set<int> reds;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Image turned = Apply(colour, 4, 4, Only(&AugmentConfig::hue, 0.5), seed);
    EXPECT_NEAR(turned.rgb[0] + turned.rgb[1] + turned.rgb[2], 360, 2);
    reds.insert(turned.rgb[0]);
  }
  EXPECT_GT(reds.size(), 10u);
  EXPECT_GE(*reds.begin(), 120 - 24);
  EXPECT_LE(*reds.rbegin(), 120 + 24);
}

TEST(AugmentTest, BrightnessContrastAndGammaWithinTheirBounds) {
  const Image image = Flat(8, 8, 100, 100, 100);
  int darkest = 255, brightest = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const int value = Apply(image, 8, 8, Only(&AugmentConfig::brightness, 0.2), seed).rgb[0];
    darkest = std::min(darkest, value);
    brightest = std::max(brightest, value);
    const int curved = Apply(image, 8, 8, Only(&AugmentConfig::gamma, 0.5), seed).rgb[0];
    EXPECT_GE(curved, 255 * std::pow(100 / 255.0, 1.5) - 1);
    EXPECT_LE(curved, 255 * std::pow(100 / 255.0, 1 / 1.5) + 1);
  }
  EXPECT_NEAR(darkest, 80, 2);
  EXPECT_NEAR(brightest, 120, 2);
}

TEST(AugmentTest, BlurIsAGaussian) {
  Image point = Flat(31, 31, 0, 0, 0);
  std::fill_n(point.rgb.data() + (15 * 31 + 15) * 3, 3, 255);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Image blurred = Apply(point, 31, 31, Only(&AugmentConfig::blur, 1.5), seed);
    const auto at = [&](int dx, int dy) { return blurred.rgb[static_cast<size_t>(((15 + dy) * 31 + 15 + dx) * 3)]; };
    EXPECT_EQ(at(2, 1), at(-1, 2));
    // exp(-1/2s^2) twice is exp(-2/2s^2).
    const double ratio = at(1, 0) / std::max(1.0, static_cast<double>(at(0, 0)));
    if (at(1, 1) > 5) {
      EXPECT_NEAR(at(1, 1) / static_cast<double>(at(0, 0)), ratio * ratio, 0.06);
    }
  }
}

TEST(AugmentTest, NoiseHasTheDeviationDrawn) {
  const Image grey = Flat(100, 100, 128, 128, 128);
  double most = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Image noisy = Apply(grey, 100, 100, Only(&AugmentConfig::noise, 20), seed);
    double sum = 0, squares = 0;
    for (const uint8_t value : noisy.rgb) {
      sum += value - 128.0;
      squares += (value - 128.0) * (value - 128.0);
    }
    const auto count = static_cast<double>(noisy.rgb.size());
    EXPECT_NEAR(sum / count, 0, 1);
    most = std::max(most, std::sqrt(squares / count));
  }
  EXPECT_LE(most, 20.5);
  EXPECT_GE(most, 16);
}

TEST(AugmentTest, ErasedAreasKeepToTheirShare) {
  const Image grey = Flat(80, 60, 128, 128, 128);
  AugmentConfig config = Only(&AugmentConfig::erase, 1);
  config.erase_area = 0.2;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Image erased = Apply(grey, 60, 80, config, seed);
    int changed = 0;
    for (size_t i = 0; i < erased.rgb.size(); i += 3) {
      changed += erased.rgb[i] != 128 || erased.rgb[i + 1] != 128 || erased.rgb[i + 2] != 128 ? 1 : 0;
    }
    EXPECT_GT(changed, 0.01 * 80 * 60);
    EXPECT_LT(changed, 0.23 * 80 * 60);
  }
}

TEST(AugmentTest, JpegChangesALittle) {
  const Image waves = image::Waves(64, 64);
  const Image damaged = Apply(waves, 64, 64, Only(&AugmentConfig::jpeg, 1), 3);
  EXPECT_GT(image::MeanDifference(damaged, waves), 0.1);
  EXPECT_LT(image::MeanDifference(damaged, waves), 8);
}

TEST(AugmentTest, EveryStepDrawsFromAStreamOfItsOwn) {
  const Image image = image::Noise(50, 50, 1);
  AugmentConfig config;
  config.crop_area = 0.5;
  const Image cropped = Apply(image, 32, 32, config, 9);
  config.erase = 1;
  const Image erased = Apply(image, 32, 32, config, 9);
  size_t same = 0;
  for (size_t i = 0; i < cropped.rgb.size(); ++i) same += cropped.rgb[i] == erased.rgb[i] ? 1 : 0;
  EXPECT_GT(same, cropped.rgb.size() / 2);
}

// Any setting that a configuration may hold, on any picture: the sanitizers watch.
TEST(AugmentTest, ExtremesAreSurvived) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  AugmentConfig config;
  config.crop_area = 0.01;
  config.crop_stretch = 4;
  config.scale_per_axis = 0.9;
  config.perspective = 0.24;
  config.rotate = 180;
  config.flip = 0.5;
  config.brightness = config.contrast = config.saturation = 1;
  config.hue = 0.5;
  config.gamma = 4;
  config.grey = config.jpeg = config.erase = 0.5;
  config.blur = 8;
  config.noise = 128;
  config.erase_area = 0.9;
  std::mt19937 random(seed);
  for (int i = 0; i < 200; ++i) {
    config.scale_per_axis = i % 2 == 0 ? 0 : 0.9;
    const auto side = [&](unsigned most) { return static_cast<int>(1 + random() % most); };
    const Image image = image::Noise(side(i % 10 == 0 ? 2000 : 60), side(60), i);
    const int height = side(40), width = side(40);
    const Image seen = Apply(image, height, width, config, random());
    ASSERT_EQ(seen.rgb.size(), static_cast<size_t>(height) * static_cast<size_t>(width) * 3);
  }
}

}  // namespace
}  // namespace sightline::train
