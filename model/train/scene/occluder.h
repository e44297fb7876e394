// Occluders: parts of other objects that stand in front of the one a picture shows, as a hand or another product does.
//
// What they hide is measured in pixels of the object that lie in the frame, with the small shapes of the view's own
// clutter counted in.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   const std::vector<float> object = ObjectCover(surface, view, side);
//   const std::vector<Occluder> occluders = MakeOccluders(object, view, side, /*share=*/0.3, &random);
//   const double hidden = HiddenShare(object, view, side, occluders);  // 0.3, within a pixel at the outline
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_OCCLUDER_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_OCCLUDER_H_

#include <vector>

#include "absl/types/span.h"
#include "model/train/scene/frame.h"
#include "model/train/scene/random.h"
#include "model/train/scene/surface.h"
#include "model/train/scene/view.h"

namespace sightline::scene {

struct Occluder {
  Shape outline;    // colours and stripes are not looked at
  Surface surface;  // of an object of its own, seen from the front
};

// Brightness of a point of a surface: its relief in the light.
float Shade(const SurfacePoint& point, const Light& light);

// How much of each pixel the object fills, 0 to 1: side * side values, row-major.
std::vector<float> ObjectCover(const Surface& surface, const View& view, int side);

// One to three occluders that, with the view's own shapes, hide `share` (0 to 0.9) of the object; none where those
// shapes hide as much already.
std::vector<Occluder> MakeOccluders(absl::Span<const float> object, const View& view, int side, double share,
                                    Random* random);

// Of the object's pixels in the frame, the share behind something; 0 for an object that is not in the frame.
double HiddenShare(absl::Span<const float> object, const View& view, int side, absl::Span<const Occluder> occluders);

void PaintOccluder(const Occluder& occluder, const Light& light, Frame* frame);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_OCCLUDER_H_
