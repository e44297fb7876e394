// Turning decoded pixels upright.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   image = ApplyOrientation(std::move(image), header.orientation);
#ifndef SIGHTLINE_MODEL_IMAGE_ORIENT_H_
#define SIGHTLINE_MODEL_IMAGE_ORIENT_H_

#include "model/image/image.h"

namespace sightline::image {

// Applies EXIF orientation 1 to 8 to pixels and sizes; other values leave the image as it is.
Image ApplyOrientation(Image image, int orientation);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_ORIENT_H_
