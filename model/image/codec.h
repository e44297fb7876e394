// What the codecs of JPEG, PNG and WebP have in common: they write their pixels where they are told to, so that the
// same code decodes into a vector and into memory shared with another process.
//
// Threading: pure functions. Ownership: the memory is the caller's. Failure: INVALID_ARGUMENT with the reasons of
// errors.h; what has been written by then means nothing.
//
//   Image image = ...;
//   SIGHTLINE_RETURN_IF_ERROR(DecodePixels(bytes, header, 448, [&](size_t bytes) {
//     image.rgb.resize(bytes);
//     return image.rgb.data();
//   }));
#ifndef SIGHTLINE_MODEL_IMAGE_CODEC_H_
#define SIGHTLINE_MODEL_IMAGE_CODEC_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/image/decode.h"

namespace sightline::image {

// Called once, with OutputBytes of memory.h. The first three quarters of it hold the pixels where there is alpha.
using AllocatePixels = absl::FunctionRef<uint8_t*(size_t bytes)>;

// The pixels of `encoded`, whose header is `header`, as stored: RGB, rows without padding, ReducedSize of memory.h.
absl::Status DecodePixels(absl::string_view encoded, const Header& header, int wanted_side, AllocatePixels allocate);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_CODEC_H_
