// WebP: lossy and lossless, with or without alpha, by libwebp. Animations are refused.
//
// Threading: pure functions. Ownership: values. Failure: INVALID_ARGUMENT with the reasons of errors.h; limits are the
// caller's to check between the two calls.
// Memory of DecodeWebp: the reduced image, plus 4 bytes a pixel for a lossless file inside the library.
//
//   auto header = ReadWebpHeader(bytes);
//   auto image = DecodeWebp(bytes, *header, /*wanted_side=*/448);
#ifndef SIGHTLINE_MODEL_IMAGE_WEBP_H_
#define SIGHTLINE_MODEL_IMAGE_WEBP_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/image/decode.h"
#include "model/image/image.h"

namespace sightline::image {

// Sizes and orientation, without decoding anything.
absl::StatusOr<Header> ReadWebpHeader(absl::string_view encoded);

// The pixels as stored: `header`'s orientation is not applied yet.
absl::StatusOr<Image> DecodeWebp(absl::string_view encoded, const Header& header, int wanted_side);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_WEBP_H_
