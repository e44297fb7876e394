// The geometric part of augmentation: where in the photograph every pixel of the result comes from.
//
// Threading: pure functions. Failure: none.
//
//   const View view = DrawView(image.width, image.height, config, random);
//   const image::Image seen = Render(image, view, height, width, /*mirror_beyond=*/true);
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_WARP_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_WARP_H_

#include <array>

#include "model/image/image.h"
#include "model/train/data/augment_config.h"
#include "model/train/scene/random.h"

namespace sightline::train {

// A homography from the unit square of the result to pixels of the photograph (both with the origin at the outer corner
// of the first pixel): (u, v, 1) -> (x w, y w, w), row-major.
struct View {
  std::array<double, 9> matrix;
  bool upright = true;  // an axis-parallel rectangle, not turned; maybe mirrored
};

View DrawView(int width, int height, const AugmentConfig& config, scene::Random& random);

// `image` seen through `view`, height x width pixels. Beyond the image it goes on mirrored, or is black.
image::Image Render(const image::Image& image, const View& view, int height, int width, bool mirror_beyond);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_WARP_H_
