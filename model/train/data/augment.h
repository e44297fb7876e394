// Augment: one training photograph brought to its size, with what chance does to it on the way: crop, scale, turn,
// perspective and mirror as one warp; then light and colour, blur, noise, JPEG damage and an erased rectangle.
//
// Where nothing is turned or warped, the pixels are those of the resize that images to search go through (antialiased,
// bicubic); otherwise bilinear ones of an image that was first reduced to about the resolution of the result. What lies
// beyond the photograph is black where scale_per_axis is set (the zero padding of Yokoo et al. 2020), else mirrored.
//
// Threading: pure function of its arguments. Failure: none. The result depends on the arguments and on `random` alone;
// every step draws from a stream of its own, so that one more step leaves the others as they were.
//
//   scene::Random random = scene::Random::For(seed, {epoch, batch, place});
//   const image::Image seen = Augment(image, 224, 224, config, random);
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_AUGMENT_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_AUGMENT_H_

#include "model/image/image.h"
#include "model/train/data/augment_config.h"
#include "model/train/scene/random.h"

namespace sightline::train {

// `image` must not be empty; height and width are those of the result, pixels, at least 1.
image::Image Augment(const image::Image& image, int height, int width, const AugmentConfig& config,
                     scene::Random& random);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_AUGMENT_H_
