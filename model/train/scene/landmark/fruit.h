// Fruit: heaps of fruit and vegetables of one variety in a crate: many bodies that are alike and not the same.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   const Model heap = MakeFruitModel(384, &layout, &own);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_FRUIT_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_FRUIT_H_

#include "model/train/scene/landmark/model.h"
#include "model/train/scene/random.h"

namespace sightline::scene::landmark {

Model MakeFruitModel(int pixels, Random* layout, Random* own);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_FRUIT_H_
