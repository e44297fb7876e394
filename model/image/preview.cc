#include "model/image/preview.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/encode.h"
#include "model/image/resize.h"

namespace sightline::image {

absl::StatusOr<std::string> MakePreview(const Image& image, int longest_side, int quality) {
  if (longest_side < 1) {
    return base::InvalidArgument("PREVIEW_SIDE_OUT_OF_RANGE",
                                 absl::StrCat("longest side of a preview is ", longest_side,
                                              "; it must be at least 1 pixel. Give such a value."));
  }
  const int longest = std::max(image.width, image.height);
  if (longest <= longest_side) return EncodeJpeg(image, quality);
  const double scale = static_cast<double>(longest_side) / longest;
  const int width = std::max(1, static_cast<int>(std::lround(image.width * scale)));
  const int height = std::max(1, static_cast<int>(std::lround(image.height * scale)));
  return EncodeJpeg(ResizeBicubic(image, {0, 0, image.width, image.height}, width, height), quality);
}

}  // namespace sightline::image
