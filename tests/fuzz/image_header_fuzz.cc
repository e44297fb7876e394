// Any bytes as an image of which only the header is read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/status.h"
#include "model/image/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace image = sightline::image;
  const image::Limits limits;
  const auto header = image::ReadHeader({reinterpret_cast<const char*>(data), size}, limits);
  if (header.ok()) {
    const bool within = header->width > 0 && header->height > 0 && header->width <= limits.max_side &&
                        header->height <= limits.max_side &&
                        int64_t{header->width} * header->height <= limits.max_pixels && header->orientation >= 1 &&
                        header->orientation <= 8;
    if (!within) std::abort();
  } else if (sightline::base::GetErrorInfo(header.status()).reason == "UNKNOWN") {
    std::abort();
  }
  return 0;
}
