// Turning decoded pixels upright.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   image = ApplyOrientation(std::move(image), header.orientation);
#ifndef SIGHTLINE_MODEL_IMAGE_ORIENT_H_
#define SIGHTLINE_MODEL_IMAGE_ORIENT_H_

#include <cstdint>

#include "model/image/image.h"

namespace sightline::image {

// Applies EXIF orientation 1 to 8 to pixels and sizes; other values leave the image as it is.
Image ApplyOrientation(Image image, int orientation);

// True for the orientations that change anything.
inline bool Turns(int orientation) { return orientation >= 2 && orientation <= 8; }

// True for those that exchange width and height.
inline bool Transposes(int orientation) { return orientation >= 5 && orientation <= 8; }

// Copies width x height RGB pixels from `stored` to `upright`, turned; the two do not overlap.
void CopyUpright(const uint8_t* stored, int width, int height, int orientation, uint8_t* upright);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_ORIENT_H_
