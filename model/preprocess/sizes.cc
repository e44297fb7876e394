#include "model/preprocess/sizes.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sightline::model {
namespace {

double BucketRatio(const PreprocessConfig& config, double ratio) {
  double best = ratio;
  double best_distance = INFINITY;
  for (const double candidate : config.aspect_ratios) {
    const double distance = std::abs(std::log(candidate / ratio));
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

int RoundToMultiple(double side, int multiple) {
  return std::max(1, static_cast<int>(std::lround(side / multiple))) * multiple;
}

}  // namespace

std::vector<PlaneSize> PlaneSizes(const PreprocessConfig& config, int width, int height) {
  const double ratio = BucketRatio(config, static_cast<double>(width) / height);
  const int longest = config.enlarge ? config.image_size : std::min(config.image_size, std::max(width, height));
  std::vector<PlaneSize> sizes;
  for (const double scale : config.scales) {
    const double side = longest * scale;
    sizes.push_back({RoundToMultiple(ratio >= 1 ? side : side * ratio, config.size_multiple),
                     RoundToMultiple(ratio >= 1 ? side / ratio : side, config.size_multiple)});
  }
  return sizes;
}

std::string BucketName(absl::Span<const PlaneSize> sizes) {
  return absl::StrJoin(
      sizes, ",", [](std::string* out, const PlaneSize& size) { absl::StrAppend(out, size.width, "x", size.height); });
}

size_t TokenScale(const PreprocessConfig& config) {
  const auto closest = std::min_element(config.scales.begin(), config.scales.end(), [](double a, double b) {
    return std::abs(std::log(a)) < std::abs(std::log(b));
  });
  return static_cast<size_t>(closest - config.scales.begin());
}

}  // namespace sightline::model
