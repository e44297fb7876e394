#include "model/train/scene/render.h"

#include <algorithm>
#include <cmath>

#include "model/train/scene/frame.h"

namespace sightline::scene {
namespace {

// Samples per pixel and direction: enough for surfaces that are reduced to half their points.
constexpr int kSamples = 2;

void PaintObject(const Surface& surface, const View& view, Frame* frame) {
  for (int y = 0; y < frame->side; ++y) {
    for (int x = 0; x < frame->side; ++x) {
      Colour sum = {};
      int hits = 0;
      for (int k = 0; k < kSamples * kSamples; ++k) {
        const double sample_x = (x + (k % kSamples + 0.5) / kSamples) / frame->side;
        const double sample_y = (y + (k / kSamples + 0.5) / kSamples) / frame->side;
        const auto [u, v] = view.ToObject(sample_x, sample_y);
        if (!surface.Contains(u, v)) continue;
        const SurfacePoint point = surface.At(u, v);
        const float shade = Shade(point, view.light);
        for (size_t c = 0; c < 3; ++c) sum[c] += point.colour[c] * shade;
        ++hits;
      }
      if (hits == 0) continue;
      for (float& value : sum) value /= static_cast<float>(hits);
      frame->at(x, y) = Blend(frame->at(x, y), sum, static_cast<double>(hits) / (kSamples * kSamples));
    }
  }
}

// Light, the camera's curve and its noise.
image::Image Develop(const Frame& frame, const Light& light, Random* random) {
  image::Image image{frame.side, frame.side, {}, frame.side, frame.side};
  image.rgb.reserve(frame.pixels.size() * 3);
  for (size_t i = 0; i < frame.pixels.size(); ++i) {
    const double x = 2 * (static_cast<double>(i % frame.side) + 0.5) / frame.side - 1;
    const double y = 2 * (static_cast<double>(i / frame.side) + 0.5) / frame.side - 1;
    const double brightness = light.gain * (1 + light.gradient_x * x + light.gradient_y * y);
    for (size_t c = 0; c < 3; ++c) {
      const auto linear = static_cast<float>(std::max(0.0, frame.pixels[i][c] * brightness * light.cast[c]));
      const double lit = std::pow(linear, static_cast<float>(light.gamma));
      // The sum of two even distributions, scaled to a standard deviation of 1.
      const double noise = (random->Uniform() + random->Uniform() - 1) * 2.449489742783178 * light.noise;
      image.rgb.push_back(static_cast<uint8_t>(std::lround(255 * std::clamp(lit + noise, 0.0, 1.0))));
    }
  }
  return image;
}

}  // namespace

image::Image Render(const Surface& surface, const View& view, int side, Random* random,
                    absl::Span<const Occluder> occluders) {
  Frame frame(side);
  PaintBackdrop(random, &frame);
  PaintObject(surface, view, &frame);
  for (const Shape& occluder : view.occluders) PaintShape(occluder, &frame);
  for (const Occluder& occluder : occluders) PaintOccluder(occluder, view.light, &frame);
  return Develop(frame, view.light, random);
}

}  // namespace sightline::scene
