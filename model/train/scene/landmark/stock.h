// Stock: what surrounds and hides the objects of all pictures: materials for grounds and walls, skies, leaves, and
// small models of other things. None of them is an instance.
//
// Threading: MakeStock uses the calling thread; a Stock is read-only afterwards. Ownership: a Stock owns its textures.
// Failure: none.
//
//   const Stock stock = MakeStock(seed);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_STOCK_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_STOCK_H_

#include <cstdint>
#include <vector>

#include "model/train/scene/landmark/model.h"
#include "model/train/scene/landmark/texture.h"

namespace sightline::scene::landmark {

struct Stock {
  std::vector<Texture> grounds;  // streets, lawns
  std::vector<Texture> walls;
  std::vector<Texture> boards;  // tables, shelves, floors
  std::vector<Texture> clouds;  // alpha says how dense
  std::vector<Texture> leaves;  // with holes
  std::vector<Texture> cloths;  // for bodies of people
  std::vector<Model> shelf;     // things by where they are at home
  std::vector<Model> wall;
  std::vector<Model> street;
};

Stock MakeStock(uint64_t seed);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_STOCK_H_
