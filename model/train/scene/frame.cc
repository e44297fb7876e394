#include "model/train/scene/frame.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/train/scene/noise.h"

namespace sightline::scene {
namespace {

// Clutter is less colourful than the objects it surrounds.
Palette Muted(Palette palette) {
  for (Colour& colour : palette) {
    const float grey = (colour[0] + colour[1] + colour[2]) / 3;
    colour = Blend(colour, {grey, grey, grey}, 0.8);
  }
  return palette;
}

}  // namespace

Shape MakeShape(Random* random, double smallest, double largest) {
  Shape shape;
  shape.x = random->Uniform();
  shape.y = random->Uniform();
  shape.half_width = random->Between(smallest, largest) / 2;
  shape.half_height = random->Between(smallest, largest) / 2;
  const double angle = random->Between(0, std::numbers::pi);
  shape.cosine = std::cos(angle);
  shape.sine = std::sin(angle);
  shape.ellipse = random->Chance(0.4);
  const Palette palette = Muted(MakePalette(random));
  shape.colour = palette[0];
  shape.stripe_colour = palette[1];
  shape.stripe_frequency = random->Chance(0.5) ? 0 : 6 * std::exp2(random->Between(0, 2.5));
  shape.noise_seed = random->Next();
  return shape;
}

void PaintShape(const Shape& shape, Frame* frame) {
  ForEachPixelOf(shape, frame->side, [&](int x, int y, double u, double, double cover) {
    const double dx = (x + 0.5) / frame->side - shape.x;
    const double dy = (y + 0.5) / frame->side - shape.y;
    const double stripe = std::sin(u * shape.half_width * shape.stripe_frequency * 2 * std::numbers::pi);
    const double grain = 0.8 + 0.4 * ValueNoise(shape.noise_seed, 40 * dx, 40 * dy);
    Colour colour = shape.stripe_frequency > 0 && stripe > 0 ? shape.stripe_colour : shape.colour;
    for (float& value : colour) value = static_cast<float>(value * grain);
    frame->at(x, y) = Blend(frame->at(x, y), colour, cover);
  });
}

void PaintBackdrop(Random* random, Frame* frame) {
  const Palette palette = Muted(MakePalette(random));
  const uint64_t seed = random->Next();
  const double frequency = random->Between(3, 12);
  for (int y = 0; y < frame->side; ++y) {
    for (int x = 0; x < frame->side; ++x) {
      const double u = (x + 0.5) / frame->side;
      const double v = (y + 0.5) / frame->side;
      const double cloud = Fractal(seed, frequency * u, frequency * v, 3);
      const Colour ground = Blend(palette[0], palette[1], v);
      frame->at(x, y) = Blend(ground, palette[2], std::clamp(2 * cloud - 0.5, 0.0, 1.0));
    }
  }
  const int shapes = 4 + random->Below(7);
  for (int i = 0; i < shapes; ++i) PaintShape(MakeShape(random, 0.06, 0.3), frame);
}

}  // namespace sightline::scene
