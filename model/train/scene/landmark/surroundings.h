// Surroundings: where an object stands: on a shelf among others, on a table, on a wall, in a street; what stands before
// it; and the light of the place.
//
// Threading: pure functions. Ownership: the stage's solids point to textures of the stock and of the siblings.
// Failure: none.
//
//   Surround(model, siblings, stock, &random, &stage);
//   AddOccluder(model, stock, /*size=*/1, &random, &stage);
//   LightUp(model, stock, /*night=*/false, /*weather=*/false, &random, &stage);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_SURROUNDINGS_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_SURROUNDINGS_H_

#include "absl/types/span.h"
#include "model/train/scene/landmark/model.h"
#include "model/train/scene/landmark/stock.h"
#include "model/train/scene/landmark/tracer.h"

namespace sightline::scene::landmark {

// The model stands at the origin. What is added belongs to owner 0.
void Surround(const Model& model, absl::Span<const Model* const> siblings, const Stock& stock, Random* random,
              Stage* stage);

// Something between the camera, which must be aimed, and the model: a thing, a post, leaves, a person, a hand. `size`:
// by the model's own.
void AddOccluder(const Model& model, const Stock& stock, double size, Random* random, Stage* stage);

void LightUp(const Model& model, const Stock& stock, bool night, bool weather, Random* random, Stage* stage);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_SURROUNDINGS_H_
