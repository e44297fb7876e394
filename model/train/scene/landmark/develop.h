// Development: from the light that a camera receives to the picture that a phone stores: focus, motion, rain, exposure,
// white balance, the lens's dark corners, noise, sharpening, rescaling.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   const Exposure exposure = MakeExposure(/*strength=*/0.5, /*night=*/false, &random);
//   const image::Image photograph = Develop(std::move(picture), exposure, &random);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_DEVELOP_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_DEVELOP_H_

#include "model/image/image.h"
#include "model/train/scene/landmark/tracer.h"
#include "model/train/scene/random.h"

namespace sightline::scene::landmark {

struct Exposure {
  double brightness = 0.2;  // mean of the linear picture after exposure
  double contrast = 1;      // exponent around the middle
  double saturation = 1;
  Vec balance = {1, 1, 1};
  double vignette = 0;    // share of light lost in the corners
  double focus_blur = 0;  // radius, by the side, of what is far out of focus
  double motion = 0;      // length of the smear, by the side
  double motion_angle = 0;
  double soft = 0;    // blur of everything, in pixels of a picture of 224
  double shrink = 1;  // reduced by this and enlarged again
  double sharpen = 0;
  double noise = 0;  // standard deviation, of stored values
  double chroma_noise = 0;
  int rain = 0;  // streaks
  int jpeg_quality = 85;
};

// `strength`: 0 (a good camera in good light) to 1 (a bad one).
Exposure MakeExposure(double strength, bool night, Random* random);

image::Image Develop(Picture picture, const Exposure& exposure, Random* random);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_DEVELOP_H_
