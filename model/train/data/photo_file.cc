#include "model/train/data/photo_file.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/status.h"

namespace sightline::train {
namespace {

image::Image Cut(const image::Image& image, const image::PixelRect& region) {
  image::Image cut;
  cut.width = cut.original_width = region.width;
  cut.height = cut.original_height = region.height;
  cut.rgb.reserve(static_cast<size_t>(region.width) * static_cast<size_t>(region.height) * 3);
  for (int y = region.y; y < region.y + region.height; ++y) {
    const auto row = image.rgb.begin() + (static_cast<std::ptrdiff_t>(y) * image.width + region.x) * 3;
    cut.rgb.insert(cut.rgb.end(), row, row + static_cast<std::ptrdiff_t>(region.width) * 3);
  }
  return cut;
}

}  // namespace

image::Limits PhotoLimits() { return {.max_encoded_bytes = 64 << 20, .max_pixels = 120'000'000, .max_side = 30'000}; }

UprightSize Upright(const image::Header& header) {
  // Orientations from 5 on turn an image by a quarter.
  if (header.orientation >= 5) return {header.height, header.width};
  return {header.width, header.height};
}

absl::StatusOr<image::PixelRect> RegionOf(const Photo& photo, int width, int height, const UprightSize& original) {
  if (!photo.box) return image::PixelRect{0, 0, width, height};
  return image::ResolveCrop(*photo.box, width, height, original.width, original.height);
}

absl::StatusOr<image::Image> ReadPhoto(const Photo& photo, int height, int width, double least_crop_area) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(photo.path, PhotoLimits().max_encoded_bytes));
  SIGHTLINE_ASSIGN_OR_RETURN(const image::Header header, image::ReadHeader(bytes, PhotoLimits()));
  const UprightSize size = Upright(header);
  SIGHTLINE_ASSIGN_OR_RETURN(const image::PixelRect full, RegionOf(photo, size.width, size.height, size));
  // The longest side at which the region has as many pixels as the target along both sides. The decoder keeps twice
  // that, which is what crops down to a quarter of the area need.
  const double scale = std::max(static_cast<double>(width) / full.width, static_cast<double>(height) / full.height) *
                       std::max(1.0, 0.5 / std::sqrt(least_crop_area));
  const int longest = std::max(size.width, size.height);
  const int wanted = static_cast<int>(std::ceil(std::min(1.0, scale) * longest));
  SIGHTLINE_ASSIGN_OR_RETURN(image::Image image, image::Decode(bytes, PhotoLimits(), {.wanted_side = wanted}));
  if (!photo.box) return image;
  SIGHTLINE_ASSIGN_OR_RETURN(const image::PixelRect region, RegionOf(photo, image.width, image.height, size));
  return Cut(image, region);
}

}  // namespace sightline::train
