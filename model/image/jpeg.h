// JPEG: baseline, extended and progressive, 8 bit, grey, YCbCr, RGB, CMYK and YCCK, by libjpeg-turbo.
//
// Threading: pure functions. Ownership: values. Failure: INVALID_ARGUMENT with the reasons of errors.h; limits are the
// caller's to check between the two calls.
// Memory of DecodeJpeg: the reduced image, plus the coefficients of a progressive file (at most 8 bytes a pixel).
//
//   auto header = ReadJpegHeader(bytes);
//   auto image = DecodeJpeg(bytes, *header, /*wanted_side=*/448);
#ifndef SIGHTLINE_MODEL_IMAGE_JPEG_H_
#define SIGHTLINE_MODEL_IMAGE_JPEG_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/image/decode.h"
#include "model/image/image.h"

namespace sightline::image {

// Sizes and orientation, without decoding anything.
absl::StatusOr<Header> ReadJpegHeader(absl::string_view encoded);

// The pixels as stored: `header`'s orientation is not applied yet.
absl::StatusOr<Image> DecodeJpeg(absl::string_view encoded, const Header& header, int wanted_side);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_JPEG_H_
