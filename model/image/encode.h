// RGB pixels in, an encoded JPEG out.
//
// Threading: pure functions. Failure: Status.
#ifndef SIGHTLINE_MODEL_IMAGE_ENCODE_H_
#define SIGHTLINE_MODEL_IMAGE_ENCODE_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/image/image.h"

namespace sightline::image {

// `quality` is 1 to 100.
absl::StatusOr<std::string> EncodeJpeg(const Image& image, int quality);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_ENCODE_H_
