// PNG: every bit depth and colour type, interlaced or not, by libpng. Animations are refused.
//
// Threading: pure functions. Ownership: see codec.h. Failure: INVALID_ARGUMENT with the reasons of errors.h; limits are
// the caller's to check between the two calls. Memory of DecodePng: the reduced image and a few rows; an interlaced
// file is held whole (at most 4 bytes a pixel).
//
//   auto header = ReadPngHeader(bytes);
//   absl::Status status = DecodePng(bytes, *header, /*wanted_side=*/448, allocate);
#ifndef SIGHTLINE_MODEL_IMAGE_PNG_H_
#define SIGHTLINE_MODEL_IMAGE_PNG_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/image/codec.h"
#include "model/image/decode.h"

namespace sightline::image {

// Sizes, orientation and working memory, read here and not by the library.
absl::StatusOr<Header> ReadPngHeader(absl::string_view encoded);

// The pixels as stored: `header`'s orientation is not applied yet.
absl::Status DecodePng(absl::string_view encoded, const Header& header, int wanted_side, AllocatePixels allocate);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_PNG_H_
