// Boxes in images.
//
// Threading: pure functions. Failure: Status.
#ifndef SIGHTLINE_MODEL_IMAGE_GEOMETRY_H_
#define SIGHTLINE_MODEL_IMAGE_GEOMETRY_H_

#include "absl/status/statusor.h"

namespace sightline::image {

// A rectangle in an image after its EXIF orientation is applied; the origin is the top left corner.
struct CropBox {
  enum class Unit { kFraction, kPixel };  // pixels of the original image, whatever size it was decoded at
  double x0 = 0, y0 = 0, x1 = 1, y1 = 1;
  Unit unit = Unit::kFraction;
};

// A rectangle of whole pixels: [x, x + width) x [y, y + height).
struct PixelRect {
  int x = 0, y = 0, width = 0, height = 0;
};

// `box` as whole pixels of an image decoded at `width` x `height` whose original is `original_width` x
// `original_height`: rounded, cut to the image. INVALID_ARGUMENT when the box is not finite, empty, or wholly outside.
absl::StatusOr<PixelRect> ResolveCrop(const CropBox& box, int width, int height, int original_width,
                                      int original_height);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_GEOMETRY_H_
