// Package: boxes, cartons, bottles, jars and cans: labels of one brand on all sides of a body in space.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   const Model model = MakeBoxModel(384, &layout, &own);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_PACKAGE_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_PACKAGE_H_

#include "model/train/scene/landmark/model.h"
#include "model/train/scene/random.h"

namespace sightline::scene::landmark {

// Adds the six faces of a box to `model`: +x and -x, +y, -y, +z and -z, with the given skins.
struct BoxSkins {
  const Texture* front = nullptr;
  const Texture* back = nullptr;
  const Texture* side = nullptr;
  const Texture* top = nullptr;
};
void AddBox(const Vec& middle, const Vec& half, const BoxSkins& skins, Model* model);

Model MakeBoxModel(int pixels, Random* layout, Random* own);
Model MakeBottleModel(int pixels, Random* layout, Random* own);
Model MakeCanModel(int pixels, Random* layout, Random* own);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_PACKAGE_H_
