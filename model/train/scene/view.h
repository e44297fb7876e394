// View: from where, in what light and behind what one photograph of an instance is taken.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   const View view = MakeView(surface.aspect, &random);
//   const auto [u, v] = view.ToObject(0.5, 0.5);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_VIEW_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_VIEW_H_

#include <array>
#include <utility>
#include <vector>

#include "model/train/scene/colour.h"
#include "model/train/scene/frame.h"
#include "model/train/scene/random.h"

namespace sightline::scene {

struct Light {
  double gain = 1;
  double gamma = 1;
  Colour cast = {1, 1, 1};
  double gradient_x = 0;  // change of brightness from the frame's middle to its edge
  double gradient_y = 0;
  double relief_u = 0;  // brightness per unit of the relief's slope
  double relief_v = 0;
  double noise = 0;  // standard deviation of the sensor's noise
};

struct View {
  // Homography from the frame (fractions of the side) to the object ([-1, 1] in both directions), row-major.
  std::array<double, 9> frame_to_object = {};
  Light light;
  std::vector<Shape> occluders;
  int jpeg_quality = 85;

  // The point of the object's plane seen at a point of the frame; far outside for points on the horizon.
  std::pair<double, double> ToObject(double x, double y) const;
};

// `aspect` is width by height of the object.
View MakeView(double aspect, Random* random);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_VIEW_H_
