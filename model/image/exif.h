// The one thing taken from EXIF: how the camera was held.
//
// Threading: pure functions. Failure: none; metadata that is damaged or absent means orientation 1, because the pixels
// are as good as ever.
//
//   const int orientation = ExifOrientation(payload_of_app1);
#ifndef SIGHTLINE_MODEL_IMAGE_EXIF_H_
#define SIGHTLINE_MODEL_IMAGE_EXIF_H_

#include "absl/strings/string_view.h"

namespace sightline::image {

// `exif` is a TIFF block, with or without the "Exif\0\0" that JPEG puts before it. Reads the first directory only and
// never follows a link, so the work is bounded by its 65,535 entries. Returns 1 to 8.
int ExifOrientation(absl::string_view exif);

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_EXIF_H_
