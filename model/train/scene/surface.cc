#include "model/train/scene/surface.h"

#include <algorithm>
#include <cmath>

#include "model/train/scene/noise.h"
#include "model/train/scene/pattern.h"
#include "model/train/scene/random.h"

namespace sightline::scene {
namespace {

// Twice the pixels that an object covers in a frame of 320, so that sampling needs no pyramid.
constexpr int kSide = 448;

struct Layer {
  Pattern pattern;
  Colour colour;
  Colour other_colour;  // blended in where the layer's own noise is high
  double depth = 0;     // how far the layer stands out of the surface
};

// Everything that decides one instance.
struct Recipe {
  Palette palette;
  std::vector<Layer> layers;
  uint64_t ground_seed = 0;
  uint64_t grain_seed = 0;
  double grain_frequency = 40;
  double grain = 0.1;
};

Recipe MakeRecipe(int instance, Random* random) {
  Recipe recipe;
  recipe.palette = MakePalette(random);
  recipe.ground_seed = random->Next();
  recipe.grain_seed = random->Next();
  recipe.grain_frequency = 20 * std::exp2(random->Between(0, 2));
  recipe.grain = random->Between(0.04, 0.16);
  // The kinds go round so that even few instances show all of them; the layers above are drawn freely.
  const int layers = 2 + random->Below(2);
  for (int i = 0; i < layers; ++i) {
    const int kind = i == 0 ? instance % kPatternKinds : random->Below(kPatternKinds);
    Layer layer;
    layer.pattern = MakePattern(static_cast<PatternKind>(kind), random);
    if (i > 0) layer.pattern.share *= 0.6;
    layer.colour = recipe.palette[static_cast<size_t>(i + 1) % 4];
    layer.other_colour = recipe.palette[static_cast<size_t>(i + 2) % 4];
    layer.depth = random->Sign() * random->Between(0.01, 0.05);
    recipe.layers.push_back(layer);
  }
  return recipe;
}

struct Sample {
  Colour colour;
  double height = 0;
};

Sample Evaluate(const Recipe& recipe, double u, double v) {
  const double ground = Fractal(recipe.ground_seed, 3 * u, 3 * v, 3);
  const double grain = Fractal(recipe.grain_seed, recipe.grain_frequency * u, recipe.grain_frequency * v, 2) - 0.5;
  Sample sample{Blend(recipe.palette[0], recipe.palette[1], 0.5 * ground), 0.02 * ground + 0.01 * grain};
  for (const Layer& layer : recipe.layers) {
    const double cover = layer.pattern.Cover(u, v);
    const Colour colour = Blend(layer.colour, layer.other_colour, 0.7 * (1 - ground));
    sample.colour = Blend(sample.colour, colour, 0.9 * cover);
    sample.height += layer.depth * cover;
  }
  for (float& value : sample.colour)
    value = static_cast<float>(std::clamp(value * (1 + 2 * recipe.grain * grain), 0.0, 1.0));
  return sample;
}

}  // namespace

bool Surface::Contains(double u, double v) const {
  u = std::abs(u);
  v = std::abs(v);
  if (u > 1 || v > 1) return false;
  // Every outline encloses the ellipse, which is much cheaper to test.
  if (u * u + v * v <= 1) return true;
  return std::pow(u, roundness) + std::pow(v, roundness) <= 1;
}

SurfacePoint Surface::At(double u, double v) const {
  const double x = std::clamp((u + 1) / 2 * (side - 1), 0.0, side - 1.001);
  const double y = std::clamp((v + 1) / 2 * (side - 1), 0.0, side - 1.001);
  const int i = static_cast<int>(x);
  const int j = static_cast<int>(y);
  const auto right = static_cast<float>(x - i);
  const auto down = static_cast<float>(y - j);
  const float weights[] = {(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down};
  const SurfacePoint* corner = &points[static_cast<size_t>(j) * side + i];
  const SurfacePoint* corners[] = {corner, corner + 1, corner + side, corner + side + 1};
  SurfacePoint out;
  for (int k = 0; k < 4; ++k) {
    for (size_t c = 0; c < 3; ++c) out.colour[c] += weights[k] * corners[k]->colour[c];
    out.slope_u += weights[k] * corners[k]->slope_u;
    out.slope_v += weights[k] * corners[k]->slope_v;
  }
  return out;
}

Surface MakeSurface(uint64_t seed, int instance) {
  Random random = Random::For(seed, {1, static_cast<uint64_t>(instance)});
  const Recipe recipe = MakeRecipe(instance, &random);
  Surface surface;
  surface.aspect = std::exp2(random.Between(-0.4, 0.4));
  const double roundness[] = {2, 4, 30, 30};
  surface.roundness = roundness[random.Below(4)];
  surface.side = kSide;
  surface.points.resize(size_t{kSide} * kSide);
  std::vector<double> heights(size_t{kSide} * kSide);
  const double step = 2.0 / (kSide - 1);
  for (int j = 0; j < kSide; ++j) {
    for (int i = 0; i < kSide; ++i) {
      const Sample sample = Evaluate(recipe, -1 + i * step, -1 + j * step);
      surface.points[static_cast<size_t>(j) * kSide + i].colour = sample.colour;
      heights[static_cast<size_t>(j) * kSide + i] = sample.height;
    }
  }
  for (int j = 0; j + 1 < kSide; ++j) {
    for (int i = 0; i + 1 < kSide; ++i) {
      const size_t at = static_cast<size_t>(j) * kSide + i;
      surface.points[at].slope_u = static_cast<float>((heights[at + 1] - heights[at]) / step);
      surface.points[at].slope_v = static_cast<float>((heights[at + kSide] - heights[at]) / step);
    }
  }
  return surface;
}

}  // namespace sightline::scene
