// The markers before a JPEG's first scan, read here and not by the library: what a server learns of an image before it
// is let near a codec.
//
// Threading: pure function. Ownership: values. Failure: INVALID_ARGUMENT with the reasons of errors.h.
//
//   auto header = ReadJpegHeader(bytes);
#ifndef SIGHTLINE_MODEL_IMAGE_JPEG_HEADER_H_
#define SIGHTLINE_MODEL_IMAGE_JPEG_HEADER_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/image/decode.h"

namespace sightline::image {

// Sizes, orientation and working memory. `encoded` starts with a JPEG's signature.
absl::StatusOr<Header> ReadJpegHeader(absl::string_view encoded);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_JPEG_HEADER_H_
