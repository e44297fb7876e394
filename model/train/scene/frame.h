// Frame: the picture while it is painted, and the shapes that clutter it: behind the object and in front of it.
//
// Threading: a Frame belongs to one thread. Ownership: values. Failure: none.
//
//   Frame frame(320);
//   PaintBackdrop(&random, &frame);
//   PaintShape(MakeShape(&random, 0.1, 0.3), &frame);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_FRAME_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_FRAME_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/train/scene/colour.h"
#include "model/train/scene/random.h"

namespace sightline::scene {

// A square of colours that may leave [0, 1] until it is developed. Positions are fractions of the side.
struct Frame {
  explicit Frame(int side_in) : side(side_in), pixels(static_cast<size_t>(side_in) * side_in) {}
  Colour& at(int x, int y) { return pixels[static_cast<size_t>(y) * side + x]; }

  int side;
  std::vector<Colour> pixels;
};

// A turned rectangle or ellipse with stripes and a little noise.
struct Shape {
  double x = 0.5;
  double y = 0.5;
  double half_width = 0.1;
  double half_height = 0.1;
  double cosine = 1;
  double sine = 0;
  bool ellipse = false;
  Colour colour = {};
  Colour stripe_colour = {};
  double stripe_frequency = 0;  // per side of the frame
  uint64_t noise_seed = 0;
};

// Calls visit(x, y, u, v, cover) for the pixels of a frame of `side` that lie in the shape: u and v from -1 to 1 along
// its axes, cover 0 to 1, below 1 in the outermost pixel.
template <typename Visit>
void ForEachPixelOf(const Shape& shape, int side, const Visit& visit) {
  const double reach = std::hypot(shape.half_width, shape.half_height);
  const auto pixel = [side](double position) { return std::clamp(static_cast<int>(position * side), 0, side - 1); };
  for (int y = pixel(shape.y - reach); y <= pixel(shape.y + reach); ++y) {
    for (int x = pixel(shape.x - reach); x <= pixel(shape.x + reach); ++x) {
      const double dx = (x + 0.5) / side - shape.x;
      const double dy = (y + 0.5) / side - shape.y;
      const double u = (dx * shape.cosine + dy * shape.sine) / shape.half_width;
      const double v = (dy * shape.cosine - dx * shape.sine) / shape.half_height;
      // How far inside the outline, in pixels of the shorter half side: the outermost one is blended.
      const double outside = shape.ellipse ? std::hypot(u, v) : std::max(std::abs(u), std::abs(v));
      const double inside = (1 - outside) * std::min(shape.half_width, shape.half_height) * side;
      if (inside > 0) visit(x, y, u, v, std::min(inside, 1.0));
    }
  }
}

// Anywhere in the frame; its sides lie between the given fractions of the frame's.
Shape MakeShape(Random* random, double smallest, double largest);

void PaintShape(const Shape& shape, Frame* frame);

// Fills the whole frame with a clouded ground and a clutter of shapes.
void PaintBackdrop(Random* random, Frame* frame);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_FRAME_H_
