#include "model/image/memory.h"

#include <algorithm>

#include "model/image/errors.h"
#include "model/image/reduce.h"

namespace sightline::image {
namespace {

// Rows, tables and windows of a codec, by measurement at most 3 MiB for the longest sides.
constexpr int64_t kCodecBytes = int64_t{4} << 20;

}  // namespace

PixelSize ReducedSize(const Header& header, int wanted_side) {
  const int divisor = ReductionFor(header.width, header.height, wanted_side);
  return {ReducedSide(header.width, divisor), ReducedSide(header.height, divisor)};
}

int64_t OutputBytes(const Header& header, int wanted_side) {
  return ReducedSize(header, wanted_side).pixels() * (header.alpha ? 4 : 3);
}

int64_t DecodeMemory(const Header& header, size_t encoded_bytes, int wanted_side) {
  // The codec's own memory is free again when the upright copy is made.
  const int64_t copy = ReducedSize(header, wanted_side).pixels() * 3;
  return kCodecBytes + static_cast<int64_t>(encoded_bytes) + OutputBytes(header, wanted_side) +
         std::max(header.work_bytes, copy);
}

int64_t UnlimitedDecodeMemory(const Header& header, size_t encoded_bytes, int wanted_side) {
  return DecodeMemory(header, encoded_bytes, wanted_side) +
         std::max<int64_t>(0, header.most_work_bytes - header.work_bytes);
}

absl::Status CheckMemory(const Header& header, size_t encoded_bytes, int wanted_side) {
  const int64_t needed = DecodeMemory(header, encoded_bytes, wanted_side);
  const int64_t limit = MemoryLimit(int64_t{header.width} * header.height);
  return needed <= limit ? absl::OkStatus() : TooMuchMemory(header);
}

}  // namespace sightline::image
