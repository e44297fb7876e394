#include "model/image/geometry.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "base/status.h"

namespace sightline::image {
namespace {

absl::Status BadBox(const CropBox& box, int width, int height, absl::string_view problem) {
  const char* unit = box.unit == CropBox::Unit::kFraction ? "fractions" : "pixels";
  return base::InvalidArgument(
      "CROP_BOX_INVALID",
      absl::StrFormat("crop box (%g, %g)-(%g, %g) in %s of an image of %dx%d %s. Give a box with x0 < x1 and y0 < y1 "
                      "that overlaps the image.",
                      box.x0, box.y0, box.x1, box.y1, unit, width, height, problem),
      {{"actual", absl::StrFormat("%g,%g,%g,%g", box.x0, box.y0, box.x1, box.y1)},
       {"width", absl::StrFormat("%d", width)},
       {"height", absl::StrFormat("%d", height)}});
}

struct Interval {
  int begin = 0;
  int end = 0;
};

// [low, high) given in units of which the side holds `whole`, as whole pixels of a side of `pixels`. A box thinner than
// a pixel keeps the pixel its middle lies in.
Interval Resolve(double low, double high, double whole, int pixels) {
  const double scale = pixels / whole;
  low = std::clamp(low * scale, 0.0, static_cast<double>(pixels));
  high = std::clamp(high * scale, 0.0, static_cast<double>(pixels));
  Interval out{static_cast<int>(std::lround(low)), static_cast<int>(std::lround(high))};
  if (out.begin == out.end) {
    out.begin = std::min(static_cast<int>((low + high) / 2), pixels - 1);
    out.end = out.begin + 1;
  }
  return out;
}

}  // namespace

absl::StatusOr<PixelRect> ResolveCrop(const CropBox& box, int width, int height, int original_width,
                                      int original_height) {
  for (double value : {box.x0, box.y0, box.x1, box.y1}) {
    if (!std::isfinite(value)) return BadBox(box, original_width, original_height, "is not finite");
  }
  if (box.x0 >= box.x1 || box.y0 >= box.y1) return BadBox(box, original_width, original_height, "is empty");
  const bool fraction = box.unit == CropBox::Unit::kFraction;
  const double whole_x = fraction ? 1.0 : original_width;
  const double whole_y = fraction ? 1.0 : original_height;
  if (box.x1 <= 0 || box.y1 <= 0 || box.x0 >= whole_x || box.y0 >= whole_y) {
    return BadBox(box, original_width, original_height, "lies outside it");
  }
  const Interval x = Resolve(box.x0, box.x1, whole_x, width);
  const Interval y = Resolve(box.y0, box.y1, whole_y, height);
  return PixelRect{x.begin, y.begin, x.end - x.begin, y.end - y.begin};
}

}  // namespace sightline::image
