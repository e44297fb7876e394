// Pixels for every scale of a model: a region of an image resized as its preprocessing says.
//
// Threading: pure functions. Ownership: values. Failure: none; the region must lie in the image and not be empty.
//
//   const image::Image pixels = ResizePlane(config.preprocess, image, region, sizes[0]);
#ifndef SIGHTLINE_MODEL_PREPROCESS_PLANES_H_
#define SIGHTLINE_MODEL_PREPROCESS_PLANES_H_

#include "model/config/model_config.h"
#include "model/image/geometry.h"
#include "model/image/image.h"
#include "model/preprocess/sizes.h"

namespace sightline::model {

// width x height of `plane`. A region more than 8 times as long as wide is cut to its middle before it is resized for a
// centre crop: what is resized and then cut away would be of any size.
image::Image ResizePlane(const PreprocessConfig& config, const image::Image& image, const image::PixelRect& region,
                         const PlaneSize& plane);

// The part of a region of width x height pixels that the patch tokens cover, as fractions of the region: all of it,
// except for a centre crop.
image::CropBox SeenPart(const PreprocessConfig& config, int width, int height);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_PREPROCESS_PLANES_H_
