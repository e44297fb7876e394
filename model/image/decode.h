// Encoded JPEG, PNG and WebP images in, RGB pixels out, within limits that are checked on the header before anything is
// decoded.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with a reason, the actual value and the limit for everything an
// image can be wrong in; never a crash, never more memory than the limits allow.
//
//   auto image = Decode(bytes, {}, {.wanted_side = 448});
#ifndef SIGHTLINE_MODEL_IMAGE_DECODE_H_
#define SIGHTLINE_MODEL_IMAGE_DECODE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/image/image.h"

namespace sightline::image {

struct Limits {
  int64_t max_encoded_bytes = 16 << 20;
  int64_t max_pixels = 50'000'000;
  int max_side = 16'384;
};

enum class Format { kJpeg, kPng, kWebp };

// "image/jpeg" and so on.
absl::string_view MimeType(Format format);

struct Header {
  Format format = Format::kJpeg;
  int width = 0;  // as stored, before orientation
  int height = 0;
  int orientation = 1;  // EXIF, 1 to 8
  bool alpha = false;   // a WebP whose pixels are decoded with alpha
  // What its codec holds beside the pixels it gives out, however far it reduces: coefficients of a JPEG of several
  // scans, the whole of an interlaced PNG or a lossless WebP.
  int64_t work_bytes = 0;
  // The most that a file made for it can make the codec hold instead, where nothing limits its memory.
  int64_t most_work_bytes = 0;
};

struct DecodeOptions {
  // Decode reduced (JPEG: by the DCT) while both sides stay at least twice what a longest side of `wanted_side` needs;
  // 0 decodes at full size.
  int wanted_side = 0;
};

// What the header says, checked against the limits. Also refuses what cannot be decoded: animations, unknown types.
// No codec is called: all of it is read by this library's own bounded readers.
absl::StatusOr<Header> ReadHeader(absl::string_view encoded, const Limits& limits);

// The pixels, upright (orientation applied), RGB; alpha is laid over white, grey and CMYK are converted, 16 bits
// reduced.
absl::StatusOr<Image> Decode(absl::string_view encoded, const Limits& limits, const DecodeOptions& options);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_DECODE_H_
