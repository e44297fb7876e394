// JPEG: baseline, extended and progressive, 8 bit, grey, YCbCr, RGB, CMYK and YCCK, by libjpeg-turbo.
//
// Threading: pure function. Ownership: see codec.h. Failure: INVALID_ARGUMENT with the reasons of errors.h; limits are
// the caller's to check on the header.
// Memory: the reduced image, plus the coefficients of a file of several scans (Header::work_bytes).
//
//   auto header = ReadJpegHeader(bytes);
//   absl::Status status = DecodeJpeg(bytes, *header, /*wanted_side=*/448, allocate);
#ifndef SIGHTLINE_MODEL_IMAGE_JPEG_H_
#define SIGHTLINE_MODEL_IMAGE_JPEG_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/image/codec.h"
#include "model/image/decode.h"

namespace sightline::image {

absl::Status DecodeJpeg(absl::string_view encoded, const Header& header, int wanted_side, AllocatePixels allocate);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_JPEG_H_
