// Shot: one photograph of a model before it is taken: from where, in what surroundings, in what light, behind what.
//
// Threading: pure functions. Ownership: a Shot points to the textures of the models and the stock. Failure: none.
//
//   const Shot shot = MakeShot(model, siblings, stock, Difficulty::kHard, &random);
//   const Picture picture = Trace(shot.stage, 224);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_SHOT_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_SHOT_H_

#include <vector>

#include "absl/types/span.h"
#include "model/train/scene/landmark/develop.h"
#include "model/train/scene/landmark/model.h"
#include "model/train/scene/landmark/stock.h"
#include "model/train/scene/landmark/tracer.h"

namespace sightline::scene::landmark {

// As the revisited protocol has it: kEasy can be told at a glance; kHard is seen at a slant, small, cropped, partly
// hidden, at night or in bad weather; kJunk is almost wholly hidden or tiny.
enum class Difficulty { kEasy, kHard, kJunk };

struct Shot {
  Stage stage;
  Exposure exposure;
  Visibility visibility;
};

// `siblings`: models of the same family, which may stand beside it. A shot is tried a dozen times until its difficulty
// is met; what then comes closest is taken, so that in junk, and once in a great while elsewhere, nothing of the object
// may be seen.
Shot MakeShot(const Model& model, absl::Span<const Model* const> siblings, const Stock& stock, Difficulty difficulty,
              Random* random);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_SHOT_H_
