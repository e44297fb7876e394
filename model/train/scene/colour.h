// Colours of scenes, and palettes in which they go together.
//
// Threading: pure functions. Failure: none.
//
//   const Palette palette = MakePalette(&random);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_COLOUR_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_COLOUR_H_

#include <array>
#include <cstddef>

#include "model/train/scene/random.h"

namespace sightline::scene {

// Red, green and blue as stored in files (not linear light), 0 to 1.
using Colour = std::array<float, 3>;
using Palette = std::array<Colour, 4>;

inline Colour Blend(const Colour& a, const Colour& b, double t) {
  Colour out;
  for (size_t c = 0; c < 3; ++c) out[c] = static_cast<float>(a[c] + (b[c] - a[c]) * t);
  return out;
}

// All arguments in [0, 1]; the hue goes round.
Colour FromHsv(double hue, double saturation, double value);

// Four colours of one to three hues, at least one dark and one light.
Palette MakePalette(Random* random);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_COLOUR_H_
