#include "model/preprocess/planes.h"

#include <algorithm>

#include "model/image/resize.h"

namespace sightline::model {
namespace {

constexpr int kLongest = 8;  // times the short side

// The middle of a region that is longer than what a centre crop looks at.
image::PixelRect Shortened(const image::PixelRect& region) {
  image::PixelRect middle = region;
  const int64_t most = int64_t{kLongest} * std::min(region.width, region.height);
  middle.width = static_cast<int>(std::min<int64_t>(region.width, most));
  middle.height = static_cast<int>(std::min<int64_t>(region.height, most));
  middle.x += (region.width - middle.width) / 2;
  middle.y += (region.height - middle.height) / 2;
  return middle;
}

image::Image Cut(const image::Image& image, const CentreCut& cut, const PlaneSize& plane) {
  image::Image result{plane.width, plane.height, {}, plane.width, plane.height};
  result.rgb.reserve(size_t{3} * plane.width * plane.height);
  for (int row = 0; row < plane.height; ++row) {
    const auto begin = image.rgb.begin() + std::ptrdiff_t{3} * ((cut.y + row) * std::ptrdiff_t{image.width} + cut.x);
    result.rgb.insert(result.rgb.end(), begin, begin + std::ptrdiff_t{3} * plane.width);
  }
  return result;
}

}  // namespace

image::Image ResizePlane(const PreprocessConfig& config, const image::Image& image, const image::PixelRect& region,
                         const PlaneSize& plane) {
  if (config.mode != ResizeMode::kCentreCrop) return image::ResizeBicubic(image, region, plane.width, plane.height);
  const image::PixelRect middle = Shortened(region);
  const CentreCut cut = CutFor(config, plane, middle.width, middle.height);
  return Cut(image::ResizeBicubic(image, middle, cut.width, cut.height), cut, plane);
}

image::CropBox SeenPart(const PreprocessConfig& config, int width, int height) {
  if (config.mode != ResizeMode::kCentreCrop) return {};
  const PlaneSize plane = PlaneSizes(config, width, height)[TokenScale(config)];
  const image::PixelRect middle = Shortened({.width = width, .height = height});
  const CentreCut cut = CutFor(config, plane, middle.width, middle.height);
  const auto fraction = [](int start, int length, double share, int whole) {
    return std::clamp((start + length * share) / whole, 0.0, 1.0);
  };
  return {.x0 = fraction(middle.x, middle.width, static_cast<double>(cut.x) / cut.width, width),
          .y0 = fraction(middle.y, middle.height, static_cast<double>(cut.y) / cut.height, height),
          .x1 = fraction(middle.x, middle.width, static_cast<double>(cut.x + plane.width) / cut.width, width),
          .y1 = fraction(middle.y, middle.height, static_cast<double>(cut.y + plane.height) / cut.height, height)};
}

}  // namespace sightline::model
