#include "model/preprocess/blank_images.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "model/preprocess/sizes.h"

namespace sightline::model {
namespace {

// The smallest image, in cells and in pixels along a side: less is not what any network was made for.
constexpr int kLeastCells = 4;
constexpr int kLeastSide = 64;

PreparedImage BlankImage(const std::vector<PlaneSize>& sizes) {
  PreparedImage image;
  image.bucket = BucketName(sizes);
  for (const PlaneSize& size : sizes) {
    image.planes.push_back({size.height, size.width, std::vector<float>(size_t{3} * size.height * size.width, 0.0f)});
  }
  return image;
}

}  // namespace

int64_t PixelsOf(const PreparedImage& image) {
  int64_t pixels = 0;
  for (const PreparedImage::Plane& plane : image.planes) pixels += int64_t{plane.height} * plane.width;
  return pixels;
}

std::vector<PreparedImage> BlankImages(const PreprocessConfig& config) {
  std::vector<PreparedImage> images;
  std::set<std::string> buckets;
  std::vector<double> ratios = config.aspect_ratios;
  if (ratios.empty()) ratios.push_back(1);
  for (const double ratio : ratios) {
    const double side = config.image_size;
    PreparedImage image =
        BlankImage(PlaneSizes(config, std::max(1, static_cast<int>(std::lround(side * std::min(1.0, ratio)))),
                              std::max(1, static_cast<int>(std::lround(side / std::max(1.0, ratio))))));
    if (buckets.insert(image.bucket).second) images.push_back(std::move(image));
  }
  std::stable_sort(images.begin(), images.end(),
                   [](const PreparedImage& a, const PreparedImage& b) { return PixelsOf(a) < PixelsOf(b); });
  // The other modes bring every image to one size, and their networks may know no other.
  if (config.mode != ResizeMode::kFit) return images;
  const int cells = std::max(kLeastCells, (kLeastSide + config.size_multiple - 1) / config.size_multiple);
  const int least = cells * config.size_multiple;
  PreparedImage smallest = BlankImage(std::vector<PlaneSize>(config.scales.size(), PlaneSize{least, least}));
  if (PixelsOf(smallest) < PixelsOf(images.front())) images.insert(images.begin(), std::move(smallest));
  return images;
}

}  // namespace sightline::model
