// How much memory one image takes while it is decoded, known from its header.
//
// Threading: pure functions. Failure: CheckMemory says why an image is refused.
//
//   SIGHTLINE_RETURN_IF_ERROR(CheckMemory(header, encoded.size(), wanted_side));
//   budget.Take(DecodeMemory(header, encoded.size(), wanted_side));
#ifndef SIGHTLINE_MODEL_IMAGE_MEMORY_H_
#define SIGHTLINE_MODEL_IMAGE_MEMORY_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "model/image/decode.h"

namespace sightline::image {

// The most any image may take: 64 MiB and 8 bytes for each of its pixels, decoded reduced or not.
constexpr int64_t kMemoryBase = int64_t{64} << 20;
constexpr int64_t kMemoryPerPixel = 8;
inline int64_t MemoryLimit(int64_t pixels) { return kMemoryBase + kMemoryPerPixel * pixels; }

struct PixelSize {
  int width = 0;
  int height = 0;
  int64_t pixels() const { return int64_t{width} * height; }
};

// What DecodeAs gives, before orientation.
PixelSize ReducedSize(const Header& header, int wanted_side);

// What a codec writes its pixels into: 3 bytes each, or 4 where alpha is laid over white in place.
int64_t OutputBytes(const Header& header, int wanted_side);

// All of it: the encoded bytes, the codec's own, the pixels it gives out, and their upright copy.
int64_t DecodeMemory(const Header& header, size_t encoded_bytes, int wanted_side);

// The same where nothing limits what a codec takes: in the server's own process.
int64_t UnlimitedDecodeMemory(const Header& header, size_t encoded_bytes, int wanted_side);

// OK when DecodeMemory is within MemoryLimit.
absl::Status CheckMemory(const Header& header, size_t encoded_bytes, int wanted_side);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_MEMORY_H_
