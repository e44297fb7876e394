// What can be wrong in an encoded image, in the project's words. One place, so that every format says it alike.
//
// Threading: pure functions. Failure: none; each returns the Status to give back.
//
//   if (ended_early) return Truncated(Format::kPng, "a chunk ends after the file does");
#ifndef SIGHTLINE_MODEL_IMAGE_ERRORS_H_
#define SIGHTLINE_MODEL_IMAGE_ERRORS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/image/decode.h"

namespace sightline::image {

// "JPEG", "PNG", "WebP".
absl::string_view FormatName(Format format);

// `detail` continues the sentence: "...: <detail>".
absl::Status Truncated(Format format, absl::string_view detail);
absl::Status Corrupt(Format format, absl::string_view detail);
// A variant of a known format that no decoder here reads.
absl::Status UnsupportedVariant(Format format, absl::string_view detail);
absl::Status Animated(Format format, int64_t frames);
absl::Status OutOfMemory(Format format, int64_t width, int64_t height);

// More than MemoryLimit of memory.h is needed.
absl::Status TooMuchMemory(const Header& header);

// OK when an image of this size is within the limits; IMAGE_EMPTY, IMAGE_TOO_MANY_PIXELS or IMAGE_SIDE_TOO_LONG.
absl::Status CheckSize(int64_t width, int64_t height, const Limits& limits);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_ERRORS_H_
