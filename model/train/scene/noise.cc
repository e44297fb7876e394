#include "model/train/scene/noise.h"

#include <cmath>
#include <limits>

#include "model/train/scene/random.h"

namespace sightline::scene {
namespace {

// std::floor and std::lerp are calls on the plainest processors, and these fields are evaluated billions of times.
int64_t Floor(double x) {
  const auto truncated = static_cast<int64_t>(x);
  return truncated - (static_cast<double>(truncated) > x ? 1 : 0);
}

double Lerp(double a, double b, double t) { return a + (b - a) * t; }

inline double Cell(uint64_t seed, int64_t x, int64_t y) {
  const uint64_t cell = static_cast<uint64_t>(x) * 0x9E3779B1u ^ static_cast<uint64_t>(y) * 0x85EBCA77C2B2u;
  return static_cast<double>(Mix(seed ^ cell) >> 11) * 0x1.0p-53;
}

}  // namespace

double CellValue(uint64_t seed, int64_t x, int64_t y) { return Cell(seed, x, y); }

double ValueNoise(uint64_t seed, double x, double y) {
  const int64_t cell_x = Floor(x);
  const int64_t cell_y = Floor(y);
  const auto ease = [](double t) { return t * t * (3 - 2 * t); };
  const double u = ease(x - static_cast<double>(cell_x));
  const double v = ease(y - static_cast<double>(cell_y));
  const double top = Lerp(Cell(seed, cell_x, cell_y), Cell(seed, cell_x + 1, cell_y), u);
  const double bottom = Lerp(Cell(seed, cell_x, cell_y + 1), Cell(seed, cell_x + 1, cell_y + 1), u);
  return Lerp(top, bottom, v);
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
  const int64_t cell_x = Floor(x);
  const int64_t cell_y = Floor(y);
  NearestPoint nearest;
  double least = std::numeric_limits<double>::max();
  for (int64_t j = cell_y - 1; j <= cell_y + 1; ++j) {
    for (int64_t i = cell_x - 1; i <= cell_x + 1; ++i) {
      const double dx = static_cast<double>(i) + Cell(seed, i, j) - x;
      const double dy = static_cast<double>(j) + Cell(seed + 1, i, j) - y;
      const double square = dx * dx + dy * dy;
      if (square >= least) continue;
      least = square;
      nearest.cell_value = Cell(seed + 2, i, j);
    }
  }
  nearest.distance = std::sqrt(least);
  return nearest;
}

}  // namespace sightline::scene
