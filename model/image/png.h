// PNG: every bit depth and colour type, interlaced or not, by libpng. Animations are refused.
//
// Threading: pure functions. Ownership: values. Failure: INVALID_ARGUMENT with the reasons of errors.h; limits are the
// caller's to check between the two calls.
// Memory of DecodePng: the reduced image and a few rows; an interlaced file is held whole (at most 4 bytes a pixel).
//
//   auto header = ReadPngHeader(bytes);
//   auto image = DecodePng(bytes, *header, /*wanted_side=*/448);
#ifndef SIGHTLINE_MODEL_IMAGE_PNG_H_
#define SIGHTLINE_MODEL_IMAGE_PNG_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/image/decode.h"
#include "model/image/image.h"

namespace sightline::image {

// Sizes and orientation, without decoding anything.
absl::StatusOr<Header> ReadPngHeader(absl::string_view encoded);

// The pixels as stored: `header`'s orientation is not applied yet.
absl::StatusOr<Image> DecodePng(absl::string_view encoded, const Header& header, int wanted_side);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_PNG_H_
