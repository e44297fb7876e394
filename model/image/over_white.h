// Transparency: alpha is laid over white, as browsers show it on a blank page.
//
// Threading: pure function. Failure: none.
//
//   OverWhite(rgba.data(), width * height, rgba.data());
#ifndef SIGHTLINE_MODEL_IMAGE_OVER_WHITE_H_
#define SIGHTLINE_MODEL_IMAGE_OVER_WHITE_H_

#include <cstddef>
#include <cstdint>

namespace sightline::image {

// `count` RGBA pixels into `count` RGB pixels; both may start at the same address. Stored values are mixed as they are,
// without gamma: (v * a + 255 * (255 - a)) / 255, rounded.
inline void OverWhite(const uint8_t* rgba, size_t count, uint8_t* rgb) {
  for (size_t i = 0; i < count; ++i, rgba += 4, rgb += 3) {
    const uint32_t alpha = rgba[3];
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>((rgba[c] * alpha + 255 * (255 - alpha) + 127) / 255);
  }
}

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_OVER_WHITE_H_
