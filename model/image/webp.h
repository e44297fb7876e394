// WebP: lossy and lossless, with or without alpha, by libwebp. Animations are refused.
//
// Threading: pure functions. Ownership: see codec.h. Failure: INVALID_ARGUMENT with the reasons of errors.h; limits are
// the caller's to check between the two calls. Memory of DecodeWebp: the reduced image, plus what the library holds of
// lossless pixels or alpha (Header::work_bytes).
//
//   auto header = ReadWebpHeader(bytes);
//   absl::Status status = DecodeWebp(bytes, *header, /*wanted_side=*/448, allocate);
#ifndef SIGHTLINE_MODEL_IMAGE_WEBP_H_
#define SIGHTLINE_MODEL_IMAGE_WEBP_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/image/codec.h"
#include "model/image/decode.h"

namespace sightline::image {

// Sizes, orientation and working memory, read here and not by the library.
absl::StatusOr<Header> ReadWebpHeader(absl::string_view encoded);

// The pixels as stored: `header`'s orientation is not applied yet.
absl::Status DecodeWebp(absl::string_view encoded, const Header& header, int wanted_side, AllocatePixels allocate);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_WEBP_H_
