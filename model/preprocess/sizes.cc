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
  if (config.mode != ResizeMode::kFit) {
    std::vector<PlaneSize> squares;
    for (const double scale : config.scales) {
      const int side = RoundToMultiple(config.image_size * scale, config.size_multiple);
      squares.push_back({side, side});
    }
    return squares;
  }
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

CentreCut CutFor(const PreprocessConfig& config, const PlaneSize& plane, int width, int height) {
  const int64_t shorter = std::min(width, height);
  const int64_t longer = std::max(width, height);
  const int64_t short_side = std::lround(static_cast<double>(config.short_side) * plane.width / config.image_size);
  const int64_t long_side = short_side * longer / shorter;
  CentreCut cut;
  cut.width = static_cast<int>(width <= height ? short_side : long_side);
  cut.height = static_cast<int>(width <= height ? long_side : short_side);
  // Halves to the even side, as Python rounds.
  cut.x = static_cast<int>(std::nearbyint((cut.width - plane.width) / 2.0));
  cut.y = static_cast<int>(std::nearbyint((cut.height - plane.height) / 2.0));
  return cut;
}

int WantedSide(const PreprocessConfig& config, int width, int height) {
  double side = config.image_size;
  if (config.mode != ResizeMode::kFit) {
    const double shorter = config.mode == ResizeMode::kSquash ? config.image_size : config.short_side;
    side = shorter * std::max(width, height) / std::max(1, std::min(width, height));
  }
  const double wanted = side * *std::max_element(config.scales.begin(), config.scales.end()) + 0.5;
  return static_cast<int>(std::min(wanted, 1e6));
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
