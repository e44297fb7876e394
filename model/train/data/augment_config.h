// What is done to a training photograph by chance: the member "augment" of a training configuration. The defaults do
// nothing but bring it to its size.
//
// Threading: values and pure functions. Failure: INVALID_ARGUMENT that names the member.
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_AUGMENT_CONFIG_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_AUGMENT_CONFIG_H_

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "model/config/fields.h"

namespace sightline::train {

struct AugmentConfig {
  double crop_area = 1;       // least share of the area that a random crop keeps; 1: no crop
  double crop_stretch = 1;    // most change of the aspect ratio by the crop, at least 1
  double scale_per_axis = 0;  // factor per axis from U(1 - s, 1 + s) with crop or zero padding (Yokoo et al.)
  double perspective = 0;     // most displacement of a corner, as a share of the side
  double rotate = 0;          // most degrees
  double flip = 0;            // probability of mirroring
  double brightness = 0;      // most relative change
  double contrast = 0;
  double saturation = 0;
  double hue = 0;           // most turn of the hue, as a share of the circle
  double gamma = 0;         // exponent from 1 / (1 + g) to 1 + g
  double grey = 0;          // probability
  double blur = 0;          // most sigma, pixels
  double noise = 0;         // most standard deviation, of 255
  double jpeg = 0;          // probability of JPEG damage of quality 25 to 85
  double erase = 0;         // probability of a rectangle of noise or one colour over part of it
  double erase_area = 0.3;  // most share of the area

  static absl::StatusOr<AugmentConfig> Parse(model::Fields& fields);
  nlohmann::json ToJson() const;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_AUGMENT_CONFIG_H_
