#include "model/image/resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/model/image/make_image.h"
#include "tests/support/seed.h"

namespace sightline::image {
namespace {

double Keys(double x) {
  x = std::abs(x);
  if (x < 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
  if (x < 2) return -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
  return 0;
}

// One pass in double precision over one line of values that lie `step` apart.
std::vector<uint8_t> ResizeLine(const uint8_t* line, size_t step, int input, int output) {
  std::vector<uint8_t> out;
  const double scale = static_cast<double>(input) / output;
  const double stretch = std::max(1.0, scale);
  for (int i = 0; i < output; ++i) {
    const double centre = (i + 0.5) * scale;
    double sum = 0;
    double weights = 0;
    for (int t = 0; t < input; ++t) {
      if (std::abs(t + 0.5 - centre) >= 2 * stretch) continue;
      const double weight = Keys((t + 0.5 - centre) / stretch);
      sum += weight * line[t * step];
      weights += weight;
    }
    out.push_back(static_cast<uint8_t>(std::clamp(std::floor(sum / weights + 0.5), 0.0, 255.0)));
  }
  return out;
}

// What ResizeBicubic promises, written plainly.
Image Reference(const Image& image, const PixelRect& region, int width, int height) {
  Image columns{width, region.height, std::vector<uint8_t>(static_cast<size_t>(width) * region.height * 3), 0, 0};
  Image out{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height * 3), width, height};
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < region.height; ++y) {
      const uint8_t* row = &image.rgb[(static_cast<size_t>(region.y + y) * image.width + region.x) * 3 + c];
      const std::vector<uint8_t> line = ResizeLine(row, 3, region.width, width);
      for (int x = 0; x < width; ++x) columns.rgb[(static_cast<size_t>(y) * width + x) * 3 + c] = line[x];
    }
    for (int x = 0; x < width; ++x) {
      const std::vector<uint8_t> line = ResizeLine(&columns.rgb[3 * x + c], 3 * width, region.height, height);
      for (int y = 0; y < height; ++y) out.rgb[(static_cast<size_t>(y) * width + x) * 3 + c] = line[y];
    }
  }
  return out;
}

PixelRect Whole(const Image& image) { return {0, 0, image.width, image.height}; }

TEST(ResizeBicubicTest, FollowsThePlainReference) {
  const uint64_t seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  const auto between = [&random](int low, int high) { return low + static_cast<int>(random() % (high - low + 1)); };
  for (int round = 0; round < 40; ++round) {
    const Image image = Noise(between(1, 90), between(1, 90), random());
    PixelRect region;
    region.x = between(0, image.width - 1);
    region.y = between(0, image.height - 1);
    region.width = between(1, image.width - region.x);
    region.height = between(1, image.height - region.y);
    const int width = between(1, 100);
    const int height = between(1, 100);
    SCOPED_TRACE(absl::StrCat(region.width, "x", region.height, " to ", width, "x", height));
    const Image got = ResizeBicubic(image, region, width, height);
    const Image expected = Reference(image, region, width, height);
    // A tie rounded the other way in the first pass may grow to two levels in the second.
    EXPECT_LE(MaxDifference(got, expected), 2);
    const double values = static_cast<double>(got.rgb.size());
    // Such a tie is a value between the passes, which reaches as many rows as the filter spreads it over.
    const double reach = 4.0 * (1 + static_cast<double>(height) / region.height);
    EXPECT_LE(MeanDifference(got, expected) * values, 6 + 0.02 * values + 2 * reach);
  }
}

TEST(ResizeBicubicTest, TheSameSizeChangesNothing) {
  const Image image = Noise(37, 23, 5);
  EXPECT_EQ(ResizeBicubic(image, Whole(image), 37, 23).rgb, image.rgb);
}

TEST(ResizeBicubicTest, FlatImagesStayFlat) {
  for (int value : {0, 1, 127, 254, 255}) {
    const Image flat{300, 200, std::vector<uint8_t>(300 * 200 * 3, static_cast<uint8_t>(value)), 300, 200};
    for (uint8_t got : ResizeBicubic(flat, Whole(flat), 41, 333).rgb) ASSERT_EQ(got, value);
  }
}

TEST(ResizeBicubicTest, PixelsOutsideTheRegionHaveNoInfluence) {
  Image image = Noise(50, 50, 9);
  const PixelRect region{10, 12, 20, 25};
  const Image before = ResizeBicubic(image, region, 7, 9);
  for (int y = 0; y < 50; ++y) {
    for (int x = 0; x < 50; ++x) {
      const bool inside = x >= 10 && x < 30 && y >= 12 && y < 37;
      if (!inside) image.rgb[(y * 50 + x) * 3] = 255;
    }
  }
  EXPECT_EQ(ResizeBicubic(image, region, 7, 9).rgb, before.rgb);
}

TEST(ResizeBicubicTest, ExtremeRatiosWork) {
  const Image wide = Noise(16384, 1, 3);
  const Image point = ResizeBicubic(wide, Whole(wide), 1, 1);
  EXPECT_LE(MaxDifference(point, Reference(wide, Whole(wide), 1, 1)), 1);
  const Image dot = Noise(1, 1, 3);
  const Image large = ResizeBicubic(dot, Whole(dot), 64, 64);
  for (size_t i = 0; i < large.rgb.size(); ++i) ASSERT_EQ(large.rgb[i], dot.rgb[i % 3]);
}

TEST(ResizeBicubicTest, EqualsPillow) {
  if (std::system("/usr/bin/python3 -c 'import PIL.Image' 2>/dev/null") != 0) {
    GTEST_SKIP() << "Pillow is not installed (python3-pil)";
  }
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / absl::StrCat("sightline-resize-", std::random_device()());
  std::filesystem::create_directory(folder);
  const Image image = Noise(173, 131, 11);
  const std::string in = folder / "in";
  ASSERT_TRUE(base::WriteFileDurably(in, std::string(image.rgb.begin(), image.rgb.end())).ok());
  for (const auto& [width, height] : {std::pair{64, 48}, {31, 131}, {173, 17}, {400, 300}, {13, 290}, {1, 1}}) {
    const std::string out = folder / absl::StrCat(width, "x", height);
    const std::string program =
        absl::StrCat("from PIL import Image; d = open('", in,
                     "', 'rb').read(); i = Image.frombytes('RGB', (173, 131), d)", ".crop((5, 7, 165, 129)).resize((",
                     width, ",", height, "), Image.BICUBIC); open('", out, "', 'wb').write(i.tobytes())");
    ASSERT_EQ(std::system(absl::StrCat("/usr/bin/python3 -c \"", program, "\"").c_str()), 0);
    const std::string bytes = *base::ReadFile(out, 1 << 20);
    const Image expected{width, height, std::vector<uint8_t>(bytes.begin(), bytes.end()), width, height};
    EXPECT_EQ(MaxDifference(ResizeBicubic(image, {5, 7, 160, 122}, width, height), expected), 0)
        << width << "x" << height;
  }
  std::filesystem::remove_all(folder);
}

TEST(ToChwTest, NormalisesIntoPlanes) {
  const Image image = Noise(5, 3, 2);
  const std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};
  const std::array<float, 3> std = {0.229f, 0.224f, 0.225f};
  const std::vector<float> chw = ToChw(image, mean, std);
  ASSERT_EQ(chw.size(), 45u);
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 15; ++i) {
      EXPECT_NEAR(chw[c * 15 + i], (image.rgb[3 * i + c] / 255.0 - mean[c]) / std[c], 1e-5);
    }
  }
}

}  // namespace
}  // namespace sightline::image
