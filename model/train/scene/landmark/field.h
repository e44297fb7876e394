// Field: a rectangle of noise with the statistics of nature (energy falling with frequency), made a row at a time.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   const Field clouds = MakeField(256, 256, {.cells_x = 3, .cells_y = 3, .octaves = 6}, &random);
//   const float value = clouds.at(x, y);  // mean 0, standard deviation 1
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_FIELD_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_FIELD_H_

#include <cstddef>
#include <vector>

#include "model/train/scene/random.h"

namespace sightline::scene::landmark {

struct Field {
  int width = 0;
  int height = 0;
  std::vector<float> values;  // row-major

  float at(int x, int y) const { return values[static_cast<size_t>(y) * width + x]; }
  float& at(int x, int y) { return values[static_cast<size_t>(y) * width + x]; }
};

struct FieldShape {
  double cells_x = 4;  // of the coarsest octave, over the width
  double cells_y = 4;
  int octaves = 5;    // each twice as fine; octaves finer than two pixels are left out
  double gain = 0.6;  // amplitude of an octave by that of the one before: 0.5 is smooth, 0.7 is rough
};

// Value noise in octaves, shifted and scaled to mean 0 and standard deviation 1 over the rectangle.
Field MakeField(int width, int height, const FieldShape& shape, Random* random);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_FIELD_H_
