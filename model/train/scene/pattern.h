// Patterns: where in the plane a layer of a texture covers what lies under it.
//
// Threading: MakePattern is pure; a Pattern is read-only afterwards. Failure: none.
//
//   const Pattern pattern = MakePattern(PatternKind::kBricks, &random);
//   const double cover = pattern.Cover(u, v);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_PATTERN_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_PATTERN_H_

#include <array>
#include <cstdint>

#include "model/train/scene/random.h"

namespace sightline::scene {

enum class PatternKind { kClouds, kStripes, kChecks, kBricks, kDots, kCells, kRings, kWindows, kGlyphs, kBlobs };
inline constexpr int kPatternKinds = 10;

// One pattern with its parameters. Coordinates are those of the object: [-1, 1] in both directions.
struct Pattern {
  PatternKind kind = PatternKind::kClouds;
  uint64_t seed = 0;
  double cosine = 1;  // of the pattern's angle
  double sine = 0;
  double frequency_x = 8;  // repetitions over the object
  double frequency_y = 8;
  double share = 0.5;                   // of the plane that is covered, roughly
  double warp = 0;                      // how far noise moves the coordinates
  double soft = 0.1;                    // width of an edge, in repetitions
  std::array<uint32_t, 4> glyphs = {};  // 5 x 5 bits each

  // 0 (nothing) to 1 (covered).
  double Cover(double u, double v) const;
};

Pattern MakePattern(PatternKind kind, Random* random);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_PATTERN_H_
