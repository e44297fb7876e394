// JPEG files of every kind for tests, by libjpeg itself.
#ifndef SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_JPEG_H_
#define SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_JPEG_H_

#include <string>
#include <utility>
#include <vector>

#include "model/image/image.h"

namespace sightline::image {

enum class JpegColour { kYcc, kRgb, kGrey, kCmyk, kYcck };

struct JpegOptions {
  int quality = 95;
  JpegColour colour = JpegColour::kYcc;
  bool progressive = false;
  bool separate_scans = false;  // sequential, one scan for each component
  bool inverted_inks = true;    // CMYK as Adobe writes it, with Adobe's marker
  int restart_rows = 0;
  std::vector<std::pair<int, std::string>> markers = {};  // number (0xE1 is APP1) and payload
};

// Grey takes the red channel; inks are 255 - RGB with no black, so that they decode to the same picture.
std::string MakeJpeg(const Image& image, const JpegOptions& options = {});

// The markers up to the first scan of an image of this size, without any pixels.
std::string MakeJpegHeader(int width, int height);

}  // namespace sightline::image

#endif  // SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_JPEG_H_
