// Resizing and normalising: from decoded pixels to the floats a network reads.
//
// Threading: pure functions. Ownership: values. Failure: none; the preconditions are the caller's duty (ResolveCrop
// gives regions that meet them).
//
//   const Image small = ResizeBicubic(image, {0, 0, image.width, image.height}, 224, 168);
//   const std::vector<float> chw = ToChw(small, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f});
#ifndef SIGHTLINE_MODEL_IMAGE_RESIZE_H_
#define SIGHTLINE_MODEL_IMAGE_RESIZE_H_

#include <array>
#include <vector>

#include "model/image/geometry.h"
#include "model/image/image.h"

namespace sightline::image {

// `region` of `image` at width x height, as Pillow's crop followed by its BICUBIC resize gives it:
// separable, horizontal pass first, Keys' kernel with a = -0.5 stretched by the reduction factor (so that reductions
// are antialiased), each pass rounded to 8 bits. Pixels outside the region have no influence.
//
// `region` must not be empty and must lie in the image; width and height must be at least 1. In the result
// original_width and original_height are those of the result itself.
Image ResizeBicubic(const Image& image, const PixelRect& region, int width, int height);

// Planar RGB, 3 x height x width: (v / 255 - mean[c]) / std[c].
std::vector<float> ToChw(const Image& image, const std::array<float, 3>& mean, const std::array<float, 3>& std);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_RESIZE_H_
