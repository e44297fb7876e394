// Rendering: one surface in one view, as 8-bit pixels.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   const image::Image photograph = Render(surface, view, /*side=*/320, &random);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_RENDER_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_RENDER_H_

#include "absl/types/span.h"
#include "model/image/image.h"
#include "model/train/scene/occluder.h"
#include "model/train/scene/random.h"
#include "model/train/scene/surface.h"
#include "model/train/scene/view.h"

namespace sightline::scene {

// side x side pixels; `random` gives the clutter behind the object and the sensor's noise. `occluders` stand in front
// of everything else.
image::Image Render(const Surface& surface, const View& view, int side, Random* random,
                    absl::Span<const Occluder> occluders = {});

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_RENDER_H_
