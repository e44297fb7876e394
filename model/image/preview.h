// Previews: small JPEGs kept beside an image record for people to look at.
//
// Threading: pure functions. Ownership: values. Failure: INVALID_ARGUMENT for sizes or qualities out of range.
//
//   absl::StatusOr<std::string> jpeg = MakePreview(image, 320, 80);
#ifndef SIGHTLINE_MODEL_IMAGE_PREVIEW_H_
#define SIGHTLINE_MODEL_IMAGE_PREVIEW_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/image/image.h"

namespace sightline::image {

// `image` as a JPEG whose longest side is `longest_side` pixels, keeping the aspect ratio; an image that is smaller
// already keeps its size. `quality` is 1 to 100.
absl::StatusOr<std::string> MakePreview(const Image& image, int longest_side, int quality);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_PREVIEW_H_
