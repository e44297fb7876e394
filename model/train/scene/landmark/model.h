// Model: one instance in space: a painting, a house, a sign, a package, a bottle, a heap of fruit and so on, two units
// large in its longest direction, around the origin, facing +z.
//
// Threading: MakeModel is pure; a Model is read-only afterwards. Ownership: a Model owns the textures that its solids
// point to; the solids of Place must not outlive it. Failure: none.
//
//   const Model model = MakeModel(ModelKind::kBox, /*pixels=*/384, family_seed, own_seed);
//   Place(model, MakePose({0, 0, 0}, yaw), /*scale=*/1, kInstance, &stage.solids);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_MODEL_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_MODEL_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "model/train/scene/landmark/canvas.h"
#include "model/train/scene/landmark/solid.h"
#include "model/train/scene/random.h"

namespace sightline::scene::landmark {

enum class ModelKind { kPainting, kFacade, kSign, kBox, kBottle, kCan, kFruit, kBuilding, kPoster, kRelief };
inline constexpr int kModelKinds = 10;

// Where a model is at home.
enum class Habitat { kWall, kStreet, kShelf };

struct Model {
  ModelKind kind = ModelKind::kBox;
  Habitat habitat = Habitat::kShelf;
  Vec half = {1, 1, 1};  // half the extents
  bool flat = false;     // hides what is behind it and has no sides
  std::vector<std::unique_ptr<Texture>> textures;
  std::vector<Solid> solids;

  const Texture* Add(const Canvas& canvas) {
    textures.push_back(std::make_unique<Texture>(canvas));
    return textures.back().get();
  }
};

// Models of one family seed look alike at a glance; `own` decides colours, words and pictures. `pixels`: of the longer
// side of the largest texture.
Model MakeModel(ModelKind kind, int pixels, uint64_t family, uint64_t own);

void Place(const Model& model, const Pose& pose, float scale, int owner, std::vector<Solid>* solids);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_MODEL_H_
