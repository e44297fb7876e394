// Facade: fronts of houses and shops: walls, storeys, windows, doors, arches, cornices, columns, balconies, shop signs.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   Random layout(1);  // where things are: the same for houses that look alike
//   Random own(2);     // colours, materials, words
//   const Canvas front = MakeFacade(384, 512, &layout, &own);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_FACADE_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_FACADE_H_

#include "model/train/scene/landmark/canvas.h"
#include "model/train/scene/random.h"

namespace sightline::scene::landmark {

Canvas MakeFacade(int width, int height, Random* layout, Random* own);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_FACADE_H_
