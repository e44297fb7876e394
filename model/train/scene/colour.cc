#include "model/train/scene/colour.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sightline::scene {

Colour FromHsv(double hue, double saturation, double value) {
  Colour out;
  const double offsets[] = {5, 3, 1};
  for (size_t c = 0; c < 3; ++c) {
    const double k = std::fmod(offsets[c] + hue * 6, 6.0);
    out[c] = static_cast<float>(value * (1 - saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0)));
  }
  return out;
}

Palette MakePalette(Random* random) {
  const double hue = random->Uniform();
  // Neighbouring hues, opposite hues, or three around the circle.
  const double steps[] = {random->Between(0.04, 0.1), 0.5, 1.0 / 3};
  const double step = steps[random->Below(3)];
  Palette palette;
  for (size_t i = 0; i < palette.size(); ++i) {
    const double own_hue = std::fmod(hue + step * static_cast<double>(i) + random->Between(0, 0.05) + 1, 1.0);
    const double saturation = random->Chance(0.3) ? random->Between(0.0, 0.25) : random->Between(0.35, 0.95);
    // Dark, light, and two between.
    const double low[] = {0.12, 0.75, 0.35, 0.5};
    const double high[] = {0.35, 0.98, 0.7, 0.9};
    palette[i] = FromHsv(own_hue, saturation, random->Between(low[i], high[i]));
  }
  for (size_t i = palette.size() - 1; i > 0; --i) {
    std::swap(palette[i], palette[static_cast<size_t>(random->Below(static_cast<int>(i) + 1))]);
  }
  return palette;
}

}  // namespace sightline::scene
