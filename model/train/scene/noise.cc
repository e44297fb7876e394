#include "model/train/scene/noise.h"

#include <cmath>
#include <limits>

#include "model/train/scene/random.h"

namespace sightline::scene {

double CellValue(uint64_t seed, int64_t x, int64_t y) {
  const uint64_t cell = static_cast<uint64_t>(x) * 0x9E3779B1u ^ static_cast<uint64_t>(y) * 0x85EBCA77C2B2u;
  return static_cast<double>(Mix(seed ^ cell) >> 11) * 0x1.0p-53;
}

double ValueNoise(uint64_t seed, double x, double y) {
  const double floor_x = std::floor(x);
  const double floor_y = std::floor(y);
  const auto cell_x = static_cast<int64_t>(floor_x);
  const auto cell_y = static_cast<int64_t>(floor_y);
  const auto ease = [](double t) { return t * t * (3 - 2 * t); };
  const double u = ease(x - floor_x);
  const double v = ease(y - floor_y);
  const double top = std::lerp(CellValue(seed, cell_x, cell_y), CellValue(seed, cell_x + 1, cell_y), u);
  const double bottom = std::lerp(CellValue(seed, cell_x, cell_y + 1), CellValue(seed, cell_x + 1, cell_y + 1), u);
  return std::lerp(top, bottom, v);
}

double Fractal(uint64_t seed, double x, double y, int octaves) {
  double sum = 0;
  double total = 0;
  double weight = 1;
  for (int i = 0; i < octaves; ++i) {
    sum += weight * ValueNoise(seed + i, x, y);
    total += weight;
    weight /= 2;
    x = 2 * x + 17.3;
    y = 2 * y - 5.1;
  }
  return sum / total;
}

NearestPoint Cellular(uint64_t seed, double x, double y) {
  const auto cell_x = static_cast<int64_t>(std::floor(x));
  const auto cell_y = static_cast<int64_t>(std::floor(y));
  NearestPoint nearest{std::numeric_limits<double>::max(), 0};
  for (int64_t j = cell_y - 1; j <= cell_y + 1; ++j) {
    for (int64_t i = cell_x - 1; i <= cell_x + 1; ++i) {
      const double dx = static_cast<double>(i) + CellValue(seed, i, j) - x;
      const double dy = static_cast<double>(j) + CellValue(seed + 1, i, j) - y;
      const double distance = std::hypot(dx, dy);
      if (distance < nearest.distance) nearest = {distance, CellValue(seed + 2, i, j)};
    }
  }
  return nearest;
}

}  // namespace sightline::scene
