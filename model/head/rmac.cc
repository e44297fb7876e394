#include "model/head/rmac.h"

#include <algorithm>
#include <cmath>

#include "model/head/fc_stage.h"

namespace sightline::model {
namespace {

// How many regions more the long side gets than the short one: as many as bring the overlap of neighbouring squares of
// the short side closest to 0.4.
int64_t ExtraRegions(int64_t height, int64_t width) {
  if (height == width) return 0;
  constexpr double kOverlap = 0.4;
  constexpr int64_t kFewest = 2, kMost = 7;
  const auto side = static_cast<double>(std::min(height, width));
  const auto rest = static_cast<double>(std::max(height, width)) - side;
  int64_t best = kFewest;
  double least = 0;
  for (int64_t regions = kFewest; regions <= kMost; ++regions) {
    const double step = rest / static_cast<double>(regions - 1);
    const double miss = std::abs((side * side - side * step) / (side * side) - kOverlap);
    if (regions == kFewest || miss < least) {
      least = miss;
      best = regions;
    }
  }
  return best - 1;
}

// Where `count` regions of `region` cells begin on a side of `side` cells. Whole numbers throughout: the published
// floor(h + j b) - h with a whole h is floor(j b).
int64_t RegionStart(int64_t side, int64_t region, int64_t count, int64_t j) {
  return count == 1 ? 0 : j * (side - region) / (count - 1);
}

}  // namespace

std::vector<Region> RmacRegions(int64_t height, int64_t width, int levels) {
  const int64_t extra = ExtraRegions(height, width);
  std::vector<Region> regions;
  for (int64_t level = 1; level <= levels; ++level) {
    const int64_t side = 2 * std::min(height, width) / (level + 1);
    if (side == 0) break;  // a map of fewer cells than regions
    const int64_t rows = level + (height > width ? extra : 0);
    const int64_t columns = level + (width > height ? extra : 0);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        regions.push_back({RegionStart(height, side, rows, row), RegionStart(width, side, columns, column), side});
      }
    }
  }
  return regions;
}

torch::Tensor RmacPool(const torch::Tensor& map, int levels) {
  torch::Tensor sum = L2Plus(map.amax({2, 3}));
  for (const Region& region : RmacRegions(map.size(2), map.size(3), levels)) {
    const torch::Tensor part = map.narrow(2, region.top, region.side).narrow(3, region.left, region.side);
    sum = sum + L2Plus(part.amax({2, 3}));
  }
  return sum;
}

}  // namespace sightline::model
