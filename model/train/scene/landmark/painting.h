// Painting: pictures that could hang on a wall or be printed on a box: landscapes, still lifes, portraits, abstract
// ones, strokes over strokes.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   const Canvas picture = MakePainting(256, 192, &random);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_PAINTING_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_PAINTING_H_

#include "model/train/scene/landmark/canvas.h"
#include "model/train/scene/random.h"

namespace sightline::scene::landmark {

Canvas MakePainting(int width, int height, Random* random);

// Paints a frame of a picture along the canvas's edge, `share` of the shorter side wide.
void PaintPictureFrame(double share, Random* random, Canvas* canvas);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_PAINTING_H_
