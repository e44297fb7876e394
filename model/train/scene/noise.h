// Smooth random fields over the plane, for textures, warps and clutter.
//
// Threading: pure functions. Failure: none.
//
//   const double height = Fractal(seed, 4 * u, 4 * v, /*octaves=*/4);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_NOISE_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_NOISE_H_

#include <cstdint>

namespace sightline::scene {

// A random value in [0, 1) for every cell of the integer grid.
double CellValue(uint64_t seed, int64_t x, int64_t y);

// Value noise: cell values blended by a cubic, in [0, 1), features one unit wide.
double ValueNoise(uint64_t seed, double x, double y);

// `octaves` of value noise, each half as strong and twice as fine as the one before, in [0, 1).
double Fractal(uint64_t seed, double x, double y, int octaves);

// Distance to the nearest of one random point per cell, in units of cells, about 0 to 1.2; and which cell it lies in.
struct NearestPoint {
  double distance = 0;
  double cell_value = 0;  // [0, 1), the same all over the point's surroundings
};
NearestPoint Cellular(uint64_t seed, double x, double y);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_NOISE_H_
