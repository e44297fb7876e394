// Image: 8-bit RGB pixels in memory.
#ifndef SIGHTLINE_MODEL_IMAGE_IMAGE_H_
#define SIGHTLINE_MODEL_IMAGE_IMAGE_H_

#include <cstdint>
#include <vector>

namespace sightline::image {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // height * width * 3, row-major, no padding
  // The size of the encoded image after EXIF orientation; larger than width x height when it was decoded reduced.
  int original_width = 0;
  int original_height = 0;
};

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_IMAGE_H_
