#include "model/train/scene/pattern.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/train/scene/noise.h"

namespace sightline::scene {
namespace {

double Fraction(double x) { return x - std::floor(x); }

// 1 where x > edge, 0 where x < edge, smooth over `soft` around it.
double Step(double x, double edge, double soft) {
  const double t = std::clamp((x - edge) / std::max(soft, 1e-6) + 0.5, 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

// 1 in the middle `share` of every unit interval.
double Bar(double x, double share, double soft) { return Step(share / 2 - std::abs(Fraction(x) - 0.5), 0, soft); }

double Bricks(double x, double y, double share, double soft) {
  const double shift = std::fmod(std::floor(y), 2.0) == 0 ? 0.0 : 0.5;
  const double mortar = 0.75 + 0.22 * share;
  return Bar(x / 2 + shift, mortar, soft) * Bar(y, mortar, soft);
}

double Checks(double x, double y, double soft) {
  const double wave = std::sin(std::numbers::pi * x) * std::sin(std::numbers::pi * y);
  return Step(wave, 0, 4 * soft);
}

double Windows(const Pattern& pattern, double x, double y) {
  const double pane =
      Bar(x, 0.35 + 0.4 * pattern.share, pattern.soft) * Bar(y, 0.45 + 0.4 * pattern.share, pattern.soft);
  const double cross = std::max(Bar(x, 0.06, pattern.soft), Bar(y, 0.06, pattern.soft));
  return pane * (1 - 0.7 * cross);
}

double Glyphs(const Pattern& pattern, double x, double y) {
  const double cell_x = std::floor(x);
  const double cell_y = std::floor(y);
  const auto i = static_cast<int64_t>(cell_x);
  const auto j = static_cast<int64_t>(cell_y);
  if (CellValue(pattern.seed + 1, i, j) > 0.35 + 0.6 * pattern.share) return 0;
  const auto which = static_cast<size_t>(CellValue(pattern.seed, i, j) * pattern.glyphs.size());
  // A frame of one bit keeps neighbouring glyphs apart.
  const int column = static_cast<int>((x - cell_x) * 7) - 1;
  const int row = static_cast<int>((y - cell_y) * 7) - 1;
  if (column < 0 || column > 4 || row < 0 || row > 4) return 0;
  return (pattern.glyphs[which] >> (5 * row + column) & 1) != 0 ? 1 : 0;
}

}  // namespace

double Pattern::Cover(double u, double v) const {
  if (warp > 0) {
    const double du = Fractal(seed + 11, 3 * u, 3 * v, 2) - 0.5;
    const double dv = Fractal(seed + 12, 3 * u, 3 * v, 2) - 0.5;
    u += warp * du;
    v += warp * dv;
  }
  const double x = (u * cosine - v * sine + 1) * frequency_x / 2;
  const double y = (u * sine + v * cosine + 1) * frequency_y / 2;
  switch (kind) {
    case PatternKind::kClouds: return Step(Fractal(seed, x, y, 4), 0.65 - 0.3 * share, 0.06 + soft);
    case PatternKind::kStripes: return Bar(x, share, soft);
    case PatternKind::kChecks: return Checks(x, y, soft);
    case PatternKind::kBricks: return Bricks(x, y, share, soft);
    case PatternKind::kDots: return Step(0.2 + 0.25 * share, std::hypot(Fraction(x) - 0.5, Fraction(y) - 0.5), soft);
    case PatternKind::kCells: return Step(Cellular(seed, x, y).cell_value, 1 - share, soft);
    case PatternKind::kRings: {
      const double radius = std::hypot(x - 0.4 * frequency_x, y - 0.6 * frequency_y);
      return Bar(radius, share, soft);
    }
    case PatternKind::kWindows: return Windows(*this, x, y);
    case PatternKind::kGlyphs: return Glyphs(*this, x, y);
    case PatternKind::kBlobs: return Step(0.3 + 0.35 * share, Cellular(seed, x, y).distance, soft);
  }
  return 0;
}

Pattern MakePattern(PatternKind kind, Random* random) {
  Pattern pattern;
  pattern.kind = kind;
  pattern.seed = random->Next();
  const bool upright = kind == PatternKind::kWindows || kind == PatternKind::kBricks || kind == PatternKind::kGlyphs;
  const double angle = upright ? 0 : random->Between(0, std::numbers::pi);
  pattern.cosine = std::cos(angle);
  pattern.sine = std::sin(angle);
  // Octaves apart rather than equally spaced: what tells textures apart is the ratio of their frequencies.
  pattern.frequency_x = 4 * std::exp2(random->Between(0, 2.6));
  pattern.frequency_y = pattern.frequency_x * std::exp2(random->Between(-0.5, 0.5));
  pattern.share = random->Between(0.25, 0.75);
  pattern.warp = upright || random->Chance(0.5) ? 0 : random->Between(0.05, 0.4);
  pattern.soft = random->Between(0.04, 0.2);
  for (uint32_t& glyph : pattern.glyphs) glyph = static_cast<uint32_t>(random->Next() & 0x1FFFFFF);
  return pattern;
}

}  // namespace sightline::scene
