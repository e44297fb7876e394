// Any bytes as an image that is decoded: the last one chooses how far it is reduced. The limit of pixels is low, so
// that an input takes milliseconds; the limits themselves are the business of image_header_fuzz.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/status.h"
#include "model/image/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace image = sightline::image;
  const image::Limits limits = {.max_encoded_bytes = 1 << 20, .max_pixels = 1 << 18, .max_side = 4096};
  const int wanted_side = size > 0 && data[size - 1] % 2 == 1 ? 16 : 0;
  const auto picture = image::Decode({reinterpret_cast<const char*>(data), size}, limits, {.wanted_side = wanted_side});
  if (picture.ok()) {
    if (picture->rgb.size() != size_t{3} * picture->width * picture->height) std::abort();
  } else if (sightline::base::GetErrorInfo(picture.status()).reason == "UNKNOWN") {
    std::abort();
  }
  return 0;
}
