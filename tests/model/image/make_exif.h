// EXIF blocks for tests.
#ifndef SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_EXIF_H_
#define SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_EXIF_H_

#include <string>

namespace sightline::image {

// A TIFF block whose first directory holds `padding` unrelated entries and then the orientation.
std::string MakeTiff(int orientation, bool little_endian = true, int padding = 0);

// The same as JPEG stores it: after "Exif\0\0".
std::string MakeExif(int orientation, bool little_endian = true, int padding = 0);

}  // namespace sightline::image

#endif  // SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_EXIF_H_
