#include "model/tokens/grid.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sightline::model {

GridSize PooledGrid(int height, int width, int max_cells) {
  if (int64_t{height} * width <= max_cells) return {height, width};
  // For every number of rows, the columns that keep the aspect; then as many cells as fit.
  const double aspect = static_cast<double>(width) / height;
  GridSize best{1, std::min(width, max_cells)};
  double best_cost = INFINITY;
  for (int rows = 1; rows <= std::min(height, max_cells); ++rows) {
    const int columns = std::clamp(static_cast<int>(std::lround(rows * aspect)), 1, std::min(width, max_cells / rows));
    // Distortion in nats, and lost cells in nats: a grid half as fine costs as much as one distorted twofold.
    const double distortion = std::abs(std::log(columns / (rows * aspect)));
    const double lost = std::log(static_cast<double>(max_cells) / (rows * columns));
    if (distortion + lost < best_cost) {
      best = {rows, columns};
      best_cost = distortion + lost;
    }
  }
  return best;
}

}  // namespace sightline::model
