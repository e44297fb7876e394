#include "model/train/scene/landmark/canvas.h"

namespace sightline::scene::landmark {

float PolygonShape::distance(float px, float py) const {
  double nearest = 1e18;
  bool inside = false;
  for (size_t i = 0; i < corners.size(); ++i) {
    const auto& [ax, ay] = corners[i];
    const auto& [bx, by] = corners[(i + 1) % corners.size()];
    const double dx = bx - ax;
    const double dy = by - ay;
    const double square = dx * dx + dy * dy;
    const double t = square > 0 ? std::clamp(((px - ax) * dx + (py - ay) * dy) / square, 0.0, 1.0) : 0;
    const double ox = px - ax - t * dx;
    const double oy = py - ay - t * dy;
    nearest = std::min(nearest, ox * ox + oy * oy);
    if ((ay > py) != (by > py) && px < ax + (py - ay) / (by - ay) * dx) inside = !inside;
  }
  const auto root = static_cast<float>(std::sqrt(nearest));
  return inside ? -root : root;
}

Bounds PolygonShape::bounds() const {
  Bounds box{1e18, 1e18, -1e18, -1e18};
  for (const auto& [x, y] : corners) {
    box.x0 = std::min(box.x0, x);
    box.y0 = std::min(box.y0, y);
    box.x1 = std::max(box.x1, x);
    box.y1 = std::max(box.y1, y);
  }
  return box;
}

void Paste(const Canvas& picture, const Bounds& box, Canvas* canvas) {
  // Reduced pictures are sampled on a finer grid and averaged.
  const double reduction = std::max(picture.width / std::max(1.0, box.width()), 1.0);
  const int samples = std::clamp(static_cast<int>(std::ceil(reduction)), 1, 4);
  ForEachIn(RectangleShape{box}, 1, canvas, [&](Point& point, float cover, int x, int y) {
    Point sum{{}, 0, 0, 0};
    for (int k = 0; k < samples * samples; ++k) {
      const double u = (x + (k % samples + 0.5) / samples - box.x0) / box.width();
      const double v = (y + (k / samples + 0.5) / samples - box.y0) / box.height();
      const int i = std::clamp(static_cast<int>(u * picture.width), 0, picture.width - 1);
      const int j = std::clamp(static_cast<int>(v * picture.height), 0, picture.height - 1);
      const Point& from = picture.at(i, j);
      for (size_t c = 0; c < 3; ++c) sum.colour[c] += from.colour[c];
      sum.height += from.height;
      sum.alpha += from.alpha;
      sum.gloss += from.gloss;
    }
    const float each = 1.0f / static_cast<float>(samples * samples);
    const float part = cover * sum.alpha * each;
    for (size_t c = 0; c < 3; ++c) point.colour[c] += (sum.colour[c] * each - point.colour[c]) * part;
    point.height += part * sum.height * each;
    point.gloss += (sum.gloss * each - point.gloss) * part;
  });
}

}  // namespace sightline::scene::landmark
