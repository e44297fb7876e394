#include "tests/model/image/make_image.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

namespace sightline::image {
namespace {

Image Blank(int width, int height) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height * 3), width, height};
}

}  // namespace

Image Waves(int width, int height) {
  Image image = Blank(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = &image.rgb[(static_cast<size_t>(y) * width + x) * 3];
      pixel[0] = static_cast<uint8_t>(128 + 100 * std::sin(x * 0.11 + y * 0.05));
      pixel[1] = static_cast<uint8_t>(128 + 100 * std::cos(x * 0.05 - y * 0.09));
      pixel[2] = static_cast<uint8_t>(128 + 100 * std::sin((x + y) * 0.07));
    }
  }
  return image;
}

Image Noise(int width, int height, uint64_t seed) {
  Image image = Blank(width, height);
  std::mt19937_64 random(seed);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random());
  return image;
}

Image Quadrants(int width, int height) {
  static constexpr uint8_t kColours[4][3] = {{230, 20, 20}, {20, 210, 20}, {20, 20, 230}, {250, 250, 250}};
  Image image = Blank(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int quadrant = 2 * (y >= height / 2) + (x >= width / 2);
      std::copy_n(kColours[quadrant], 3, &image.rgb[(static_cast<size_t>(y) * width + x) * 3]);
    }
  }
  return image;
}

int MaxDifference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.rgb.size() != b.rgb.size()) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

double MeanDifference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.rgb.size() != b.rgb.size()) return 256;
  double sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

}  // namespace sightline::image
