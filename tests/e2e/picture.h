// Pictures for tests that send images.
#ifndef SIGHTLINE_TESTS_E2E_PICTURE_H_
#define SIGHTLINE_TESTS_E2E_PICTURE_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "model/image/encode.h"
#include "model/image/image.h"

namespace sightline::testing {

// Coloured noise in blocks, as JPEG: every seed another picture.
inline std::string NoisePicture(unsigned seed, int width = 96, int height = 64) {
  std::mt19937 random(seed);
  image::Image picture{.width = width, .height = height, .rgb = {}, .original_width = width, .original_height = height};
  std::vector<uint8_t> blocks(16 * 16 * 3);
  for (uint8_t& value : blocks) value = static_cast<uint8_t>(random());
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int block = (y * 16 / height) * 16 + x * 16 / width;
      for (int c = 0; c < 3; ++c) picture.rgb.push_back(blocks[static_cast<size_t>(block * 3 + c)]);
    }
  }
  return *image::EncodeJpeg(picture, 90);
}

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_E2E_PICTURE_H_
