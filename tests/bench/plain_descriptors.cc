#include "tests/bench/plain_descriptors.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "model/image/resize.h"

namespace sightline::bench {
namespace {

constexpr int kHues = 16;
constexpr int kSaturations = 4;
constexpr int kValues = 4;
constexpr int kBlurredSide = 64;
constexpr int kTinySide = 16;

// `share` between 0 and 1; 1 belongs to the last bin.
int Bin(double share, int bins) { return std::min(static_cast<int>(share * bins), bins - 1); }

image::Image Squashed(const image::Image& image, int side) {
  return image::ResizeBicubic(image, {0, 0, image.width, image.height}, side, side);
}

// The hexcone model: hue around it from red over green and blue, 0 for greys.
int ColourBin(int red, int green, int blue) {
  const int most = std::max({red, green, blue});
  const int spread = most - std::min({red, green, blue});
  double hue = 0;  // in sixths
  if (spread > 0 && most == red) {
    hue = static_cast<double>(green - blue) / spread + (green < blue ? 6 : 0);
  } else if (spread > 0 && most == green) {
    hue = static_cast<double>(blue - red) / spread + 2;
  } else if (spread > 0) {
    hue = static_cast<double>(red - green) / spread + 4;
  }
  const double saturation = most == 0 ? 0 : static_cast<double>(spread) / most;
  return (Bin(hue / 6, kHues) * kSaturations + Bin(saturation, kSaturations)) * kValues + Bin(most / 255.0, kValues);
}

}  // namespace

std::vector<float> ColourHistogram(const image::Image& image) {
  std::vector<double> counts(kHues * kSaturations * kValues);
  for (size_t i = 0; i + 2 < image.rgb.size(); i += 3) {
    counts[static_cast<size_t>(ColourBin(image.rgb[i], image.rgb[i + 1], image.rgb[i + 2]))] += 1;
  }
  const double pixels = std::accumulate(counts.begin(), counts.end(), 0.0);
  std::vector<float> roots;
  for (const double count : counts) roots.push_back(static_cast<float>(std::sqrt(count / pixels)));
  return roots;
}

std::vector<float> BlurredColourHistogram(const image::Image& image) {
  return ColourHistogram(Squashed(image, kBlurredSide));
}

std::vector<float> TinyPicture(const image::Image& image) {
  const image::Image tiny = Squashed(image, kTinySide);
  const double mean = std::accumulate(tiny.rgb.begin(), tiny.rgb.end(), 0.0) / static_cast<double>(tiny.rgb.size());
  double square = 0;
  for (const uint8_t value : tiny.rgb) square += (value - mean) * (value - mean);
  const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
  std::vector<float> out;
  for (const uint8_t value : tiny.rgb) out.push_back(static_cast<float>((value - mean) * scale));
  return out;
}

}  // namespace sightline::bench
