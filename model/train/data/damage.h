// The parts of augmentation that leave every pixel where it is: what lens, sensor, light and compression do.
//
// Threading: pure functions. Failure: none. Each works in place and changes nothing where its amount
// is 0.
//
//   ChangeLight(config, random, image);
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_DAMAGE_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_DAMAGE_H_

#include "model/image/image.h"
#include "model/train/data/augment_config.h"
#include "model/train/scene/random.h"

namespace sightline::train {

// Gamma, brightness, contrast about the mean, saturation, hue, grey.
void ChangeLight(const AugmentConfig& config, scene::Random& random, image::Image& image);
// A Gaussian of a standard deviation from 0 to config.blur pixels.
void Blur(const AugmentConfig& config, scene::Random& random, image::Image& image);
// Independent for every value, of a standard deviation from 0 to config.noise.
void AddNoise(const AugmentConfig& config, scene::Random& random, image::Image& image);
void DamageByJpeg(const AugmentConfig& config, scene::Random& random, image::Image& image);
void Erase(const AugmentConfig& config, scene::Random& random, image::Image& image);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_DAMAGE_H_
