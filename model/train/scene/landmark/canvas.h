// Canvas: what the skin of an object looks like while it is painted: colour, relief, holes and gloss, with shapes given
// by their signed distance.
//
// Positions are pixels of the canvas, (0, 0) at its upper left corner; heights are fractions of its longer side.
//
// Threading: a Canvas belongs to one thread. Ownership: values. Failure: none.
//
//   Canvas canvas(256, 128, FromHsv(0.1, 0.5, 0.9));
//   Fill(RectangleShape{10, 10, 60, 40, /*round=*/4}, Ink{.colour = red}, &canvas);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_CANVAS_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_CANVAS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "model/train/scene/colour.h"

namespace sightline::scene::landmark {

struct Point {
  Colour colour = {};
  float height = 0;  // out of the surface
  float alpha = 1;   // 0: nothing is there
  float gloss = 0;   // 0 (matt) to 1
};

struct Canvas {
  Canvas(int width_in, int height_in, const Colour& ground)
      : width(width_in), height(height_in), points(static_cast<size_t>(width_in) * height_in, Point{ground, 0, 1, 0}) {}
  Point& at(int x, int y) { return points[static_cast<size_t>(y) * width + x]; }
  const Point& at(int x, int y) const { return points[static_cast<size_t>(y) * width + x]; }
  int longer() const { return std::max(width, height); }

  int width;
  int height;
  std::vector<Point> points;
};

struct Bounds {
  double x0 = 0;
  double y0 = 0;
  double x1 = 0;
  double y1 = 0;
  double width() const { return x1 - x0; }
  double height() const { return y1 - y0; }
  double middle_x() const { return (x0 + x1) / 2; }
  double middle_y() const { return (y0 + y1) / 2; }
  // Smaller by `share` of the sides on each of them.
  Bounds Inset(double share_x, double share_y) const {
    return {x0 + share_x * width(), y0 + share_y * height(), x1 - share_x * width(), y1 - share_y * height()};
  }
  // A part, given in fractions.
  Bounds Part(double u0, double v0, double u1, double v1) const {
    return {x0 + u0 * width(), y0 + v0 * height(), x0 + u1 * width(), y0 + v1 * height()};
  }
};

inline Bounds All(const Canvas& canvas) {
  return {0, 0, static_cast<double>(canvas.width), static_cast<double>(canvas.height)};
}

// Shapes: distance(x, y) in pixels, negative inside; bounds() holds every point inside.
struct RectangleShape {
  Bounds box;
  double round = 0;
  float distance(float x, float y) const {
    const double dx = std::abs(x - box.middle_x()) - box.width() / 2 + round;
    const double dy = std::abs(y - box.middle_y()) - box.height() / 2 + round;
    const double outside = std::hypot(std::max(dx, 0.0), std::max(dy, 0.0));
    return static_cast<float>(outside + std::min(std::max(dx, dy), 0.0) - round);
  }
  Bounds bounds() const { return box; }
};

// Also turned; the distance is that of a circle, scaled, which is exact only at the outline.
struct EllipseShape {
  double x = 0;
  double y = 0;
  double half_width = 1;
  double half_height = 1;
  double angle = 0;
  double cosine = std::cos(angle);
  double sine = std::sin(angle);
  float distance(float px, float py) const {
    const double dx = px - x;
    const double dy = py - y;
    const double u = (dx * cosine + dy * sine) / half_width;
    const double v = (dy * cosine - dx * sine) / half_height;
    const double radius = std::sqrt(u * u + v * v);
    return static_cast<float>((radius - 1) * std::min(half_width, half_height));
  }
  Bounds bounds() const {
    const double reach_x = std::hypot(half_width * cosine, half_height * sine);
    const double reach_y = std::hypot(half_width * sine, half_height * cosine);
    return {x - reach_x, y - reach_y, x + reach_x, y + reach_y};
  }
};

// A line with round ends.
struct StrokeShape {
  double x0 = 0;
  double y0 = 0;
  double x1 = 0;
  double y1 = 0;
  double half_width = 1;
  float distance(float px, float py) const {
    const double dx = x1 - x0;
    const double dy = y1 - y0;
    const double square = dx * dx + dy * dy;
    const double t = square > 0 ? std::clamp(((px - x0) * dx + (py - y0) * dy) / square, 0.0, 1.0) : 0;
    const double ox = px - x0 - t * dx;
    const double oy = py - y0 - t * dy;
    return static_cast<float>(std::sqrt(ox * ox + oy * oy) - half_width);
  }
  Bounds bounds() const {
    return {std::min(x0, x1) - half_width, std::min(y0, y1) - half_width, std::max(x0, x1) + half_width,
            std::max(y0, y1) + half_width};
  }
};

// Closed, of any number of corners; what an odd number of edges encloses is inside.
struct PolygonShape {
  std::vector<std::pair<double, double>> corners;
  float distance(float px, float py) const;
  Bounds bounds() const;
};

// What a shape is filled with.
struct Ink {
  Colour colour = {};
  double opacity = 1;
  double raise = 0;   // added to the height
  double gloss = 0;   // replaces the gloss
  double soften = 1;  // width of the edge in pixels
  bool keep_gloss = true;
};

// Calls paint(point, cover, x, y) for every point of the canvas in the shape; cover 0 to 1, below 1 only at the edge.
template <typename Shape, typename Paint>
void ForEachIn(const Shape& shape, double soften, Canvas* canvas, const Paint& paint) {
  const Bounds box = shape.bounds();
  const int x0 = std::clamp(static_cast<int>(std::floor(box.x0 - soften)), 0, canvas->width);
  const int x1 = std::clamp(static_cast<int>(std::ceil(box.x1 + soften)), 0, canvas->width);
  const int y0 = std::clamp(static_cast<int>(std::floor(box.y0 - soften)), 0, canvas->height);
  const int y1 = std::clamp(static_cast<int>(std::ceil(box.y1 + soften)), 0, canvas->height);
  const auto slope = static_cast<float>(1 / std::max(soften, 1e-3));
  for (int y = y0; y < y1; ++y) {
    for (int x = x0; x < x1; ++x) {
      const float distance = shape.distance(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f);
      const float cover = std::min(0.5f - distance * slope, 1.0f);
      if (cover > 0) paint(canvas->at(x, y), cover, x, y);
    }
  }
}

template <typename Shape>
void Fill(const Shape& shape, const Ink& ink, Canvas* canvas) {
  ForEachIn(shape, ink.soften, canvas, [&ink](Point& point, float cover, int, int) {
    const float part = cover * static_cast<float>(ink.opacity);
    for (size_t c = 0; c < 3; ++c) point.colour[c] += (ink.colour[c] - point.colour[c]) * part;
    point.height += cover * static_cast<float>(ink.raise);
    if (!ink.keep_gloss) point.gloss += (static_cast<float>(ink.gloss) - point.gloss) * part;
  });
}

// Fills with `from` at the top (or left) blending into `to` at the bottom (or right).
template <typename Shape>
void FillGradient(const Shape& shape, const Colour& from, const Colour& to, bool down, Canvas* canvas) {
  const Bounds box = shape.bounds();
  ForEachIn(shape, 1, canvas, [&](Point& point, float cover, int x, int y) {
    const double t = down ? (y - box.y0) / std::max(1.0, box.height()) : (x - box.x0) / std::max(1.0, box.width());
    point.colour = Blend(point.colour, Blend(from, to, std::clamp(t, 0.0, 1.0)), cover);
  });
}

// Copies `picture`, stretched to `box`, with its relief and holes.
void Paste(const Canvas& picture, const Bounds& box, Canvas* canvas);

// Multiplies colours; values above 1 stay.
inline Colour Scaled(const Colour& colour, double factor) {
  return {static_cast<float>(colour[0] * factor), static_cast<float>(colour[1] * factor),
          static_cast<float>(colour[2] * factor)};
}

inline double Brightness(const Colour& colour) { return 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2]; }

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_CANVAS_H_
