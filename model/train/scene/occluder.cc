#include "model/train/scene/occluder.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "model/train/scene/pattern.h"

namespace sightline::scene {
namespace {

// Samples per pixel and direction, as objects are painted.
constexpr int kCoverSamples = 2;
// A half side from which every outline hides the whole frame, wherever in it the middle lies.
constexpr double kHidesAll = 3;
// Halvings of the size: to less than a pixel of the largest frame.
constexpr int kHalvings = 14;

double Sum(absl::Span<const float> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// What of `visible` is left behind the shape.
void Hide(const Shape& shape, int side, std::vector<float>* visible) {
  ForEachPixelOf(shape, side, [&](int x, int y, double, double, double cover) {
    (*visible)[static_cast<size_t>(y) * side + x] *= static_cast<float>(1 - cover);
  });
}

double LeftBehind(const Shape& shape, int side, absl::Span<const float> visible) {
  double hidden = 0;
  ForEachPixelOf(shape, side, [&](int x, int y, double, double, double cover) {
    hidden += visible[static_cast<size_t>(y) * side + x] * cover;
  });
  return Sum(visible) - hidden;
}

// A pixel, each as likely as it is visible.
size_t DrawPixel(absl::Span<const float> visible, Random* random) {
  double left = random->Uniform() * Sum(visible);
  for (size_t i = 0; i + 1 < visible.size(); ++i) {
    left -= visible[i];
    if (left < 0) return i;
  }
  return visible.size() - 1;
}

// Middle on a visible part of the object, its size still open.
Shape DrawOutline(absl::Span<const float> visible, int side, Random* random) {
  Shape outline;
  const size_t middle = DrawPixel(visible, random);
  outline.x = (static_cast<double>(middle % side) + 0.5) / side;
  outline.y = (static_cast<double>(middle / side) + 0.5) / side;
  const double angle = random->Between(0, std::numbers::pi);
  outline.cosine = std::cos(angle);
  outline.sine = std::sin(angle);
  outline.ellipse = random->Chance(0.4);
  return outline;
}

Shape Scaled(Shape outline, double half_side, double aspect) {
  outline.half_width = half_side * std::sqrt(aspect);
  outline.half_height = half_side / std::sqrt(aspect);
  return outline;
}

// The smallest size that leaves no more than `wanted` of `visible`: what is left falls as the size grows.
Shape Fitted(const Shape& outline, double aspect, int side, absl::Span<const float> visible, double wanted) {
  double low = 0;
  double high = kHidesAll;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (LeftBehind(Scaled(outline, middle, aspect), side, visible) > wanted ? low : high) = middle;
  }
  return Scaled(outline, high, aspect);
}

std::vector<float> VisibleBehindClutter(absl::Span<const float> object, const View& view, int side) {
  std::vector<float> visible(object.begin(), object.end());
  for (const Shape& shape : view.occluders) Hide(shape, side, &visible);
  return visible;
}

}  // namespace

float Shade(const SurfacePoint& point, const Light& light) {
  const double shade = 1 + light.relief_u * point.slope_u + light.relief_v * point.slope_v;
  return static_cast<float>(std::clamp(shade, 0.3, 1.7));
}

std::vector<float> ObjectCover(const Surface& surface, const View& view, int side) {
  std::vector<float> cover;
  cover.reserve(static_cast<size_t>(side) * side);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      int hits = 0;
      for (int k = 0; k < kCoverSamples * kCoverSamples; ++k) {
        const auto [u, v] = view.ToObject((x + (k % kCoverSamples + 0.5) / kCoverSamples) / side,
                                          (y + (k / kCoverSamples + 0.5) / kCoverSamples) / side);
        hits += surface.Contains(u, v);
      }
      cover.push_back(static_cast<float>(hits) / (kCoverSamples * kCoverSamples));
    }
  }
  return cover;
}

std::vector<Occluder> MakeOccluders(absl::Span<const float> object, const View& view, int side, double share,
                                    Random* random) {
  const double whole = Sum(object);
  std::vector<float> visible = VisibleBehindClutter(object, view, side);
  std::vector<Occluder> occluders;
  const int count = 1 + random->Below(3);
  for (int i = 0; i < count; ++i) {
    const double wanted = whole * (1 - share * (i + 1) / count);
    if (Sum(visible) <= wanted) continue;
    const Shape outline = DrawOutline(visible, side, random);
    const double aspect = std::exp2(random->Between(-0.8, 0.8));
    Occluder occluder{.outline = Fitted(outline, aspect, side, visible, wanted), .surface = {}};
    // Of a seed drawn for it: none of the objects of the folder. The number decides the kind of its pattern.
    const uint64_t seed = random->Next();
    occluder.surface = MakeSurface(seed, random->Below(kPatternKinds));
    Hide(occluder.outline, side, &visible);
    occluders.push_back(std::move(occluder));
  }
  return occluders;
}

double HiddenShare(absl::Span<const float> object, const View& view, int side, absl::Span<const Occluder> occluders) {
  const double whole = Sum(object);
  if (whole <= 0) return 0;
  std::vector<float> visible = VisibleBehindClutter(object, view, side);
  for (const Occluder& occluder : occluders) Hide(occluder.outline, side, &visible);
  return std::clamp(1 - Sum(visible) / whole, 0.0, 1.0);
}

void PaintOccluder(const Occluder& occluder, const Light& light, Frame* frame) {
  const Shape& outline = occluder.outline;
  // As large a part of the surface as an object of half the frame's side shows, all of it behind a larger outline.
  const double part_u = std::min(1.0, 2 * outline.half_width);
  const double part_v = std::min(1.0, 2 * outline.half_height);
  ForEachPixelOf(outline, frame->side, [&](int x, int y, double u, double v, double cover) {
    const SurfacePoint point = occluder.surface.At(u * part_u, v * part_v);
    const float shade = Shade(point, light);
    Colour colour;
    for (size_t c = 0; c < 3; ++c) colour[c] = point.colour[c] * shade;
    frame->at(x, y) = Blend(frame->at(x, y), colour, cover);
  });
}

}  // namespace sightline::scene
