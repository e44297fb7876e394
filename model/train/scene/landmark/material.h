// Material: what things are made of: wood, brick, stone, plaster, cloth, leaves, metal and the like, with relief.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   const Canvas wall = MakeMaterial(Material::kBrick, 256, 256, /*repeats=*/8, &random);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_MATERIAL_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_MATERIAL_H_

#include "model/train/scene/landmark/canvas.h"
#include "model/train/scene/random.h"

namespace sightline::scene::landmark {

enum class Material {
  kPlaster,
  kBrick,
  kStoneBlocks,
  kPebbles,
  kConcrete,
  kMarble,
  kWood,
  kPlanks,
  kTiles,
  kWeave,
  kPlaid,
  kPaper,
  kMetal,
  kRust,
  kLeather,
  kFoliage,
  kGrass,
  kPrint,  // repeated ornaments, as on wallpaper and cloth
};

// `repeats`: how many bricks, planks, tiles, threads or leaves fit across, roughly.
Canvas MakeMaterial(Material kind, int width, int height, double repeats, Random* random);

// Colours as things have them: mostly muted.
Colour EarthColour(Random* random);
// As print, paint and plastic have them: mostly vivid.
Colour PrintColour(Random* random);
// Far from `ground` in brightness, so that it can be read on it.
Colour ReadableOn(const Colour& ground, Random* random);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_MATERIAL_H_
