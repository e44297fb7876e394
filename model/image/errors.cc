#include "model/image/errors.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "model/image/memory.h"

namespace sightline::image {
namespace {

// "361" for 361,000,000, "0.25" for 250,000, "4295" for 65535 x 65535.
std::string Megapixels(int64_t pixels) {
  const double value = static_cast<double>(pixels) / 1e6;
  return value < 1000 ? absl::StrFormat("%.3g", value) : absl::StrFormat("%.0f", value);
}

}  // namespace

absl::string_view FormatName(Format format) {
  switch (format) {
    case Format::kJpeg: return "JPEG";
    case Format::kPng: return "PNG";
    case Format::kWebp: return "WebP";
  }
  return "unknown";
}

absl::Status Truncated(Format format, absl::string_view detail) {
  return base::InvalidArgument(
      "IMAGE_TRUNCATED",
      absl::StrCat("image is a ", FormatName(format), " that ends too early: ", detail, ". Send the whole file."),
      {{"format", std::string(FormatName(format))}});
}

absl::Status Corrupt(Format format, absl::string_view detail) {
  return base::InvalidArgument("IMAGE_CORRUPT",
                               absl::StrCat("image is a damaged ", FormatName(format), ": ", detail,
                                            ". Send an intact file, or encode it again."),
                               {{"format", std::string(FormatName(format))}});
}

absl::Status UnsupportedVariant(Format format, absl::string_view detail) {
  return base::InvalidArgument("IMAGE_TYPE_UNKNOWN",
                               absl::StrCat("image is a ", FormatName(format), " of a kind that is not read: ", detail,
                                            ". Convert it to a baseline or progressive 8-bit JPEG."),
                               {{"format", std::string(FormatName(format))}});
}

absl::Status Animated(Format format, int64_t frames) {
  const std::string count = frames > 0 ? absl::StrCat(frames, " frames") : "several frames";
  return base::InvalidArgument(
      "IMAGE_ANIMATED",
      absl::StrCat("image is an animated ", FormatName(format), " of ", count, "; the limit is 1 frame. ",
                   "Send one frame of it."),
      {{"format", std::string(FormatName(format))}, {"limit", "1"}, {"actual", absl::StrCat(frames)}});
}

absl::Status OutOfMemory(Format format, int64_t width, int64_t height) {
  return base::Error(absl::StatusCode::kResourceExhausted, "IMAGE_OUT_OF_MEMORY",
                     absl::StrCat("no memory is left to decode a ", FormatName(format), " of ", width, "x", height,
                                  ". Send a smaller image, or try again later."));
}

absl::Status TooMuchMemory(const Header& header) {
  const int64_t limit = MemoryLimit(int64_t{header.width} * header.height);
  return base::InvalidArgument(
      "IMAGE_NEEDS_TOO_MUCH_MEMORY",
      absl::StrFormat(
          "image is a %s of %dx%d that takes more than %d MiB to decode, the limit for its size. Save it as "
          "a baseline JPEG, or resize it.",
          FormatName(header.format), header.width, header.height, limit >> 20),
      {{"limit", absl::StrCat(limit)}});
}

absl::Status CheckSize(int64_t width, int64_t height, const Limits& limits) {
  if (width <= 0 || height <= 0) {
    return base::InvalidArgument("IMAGE_EMPTY",
                                 absl::StrCat("image is ", width, "x", height,
                                              "; each side needs at least 1 pixel. Send an image that holds pixels."),
                                 {{"actual", absl::StrCat(width, "x", height)}});
  }
  // Sides come from 32-bit fields, so the product fits into 64 bits.
  const int64_t pixels = width * height;
  if (pixels > limits.max_pixels) {
    return base::InvalidArgument(
        "IMAGE_TOO_MANY_PIXELS",
        absl::StrCat("image is ", width, "x", height, " (", Megapixels(pixels), " MP); the limit is ",
                     Megapixels(limits.max_pixels), " MP. Resize it or raise --max_pixels."),
        {{"limit", absl::StrCat(limits.max_pixels)}, {"actual", absl::StrCat(pixels)}});
  }
  const int64_t side = std::max(width, height);
  if (side > limits.max_side) {
    return base::InvalidArgument("IMAGE_SIDE_TOO_LONG",
                                 absl::StrCat("image is ", width, "x", height, "; the limit is ", limits.max_side,
                                              " pixels a side. Resize it or raise --max_image_side."),
                                 {{"limit", absl::StrCat(limits.max_side)}, {"actual", absl::StrCat(side)}});
  }
  return absl::OkStatus();
}

}  // namespace sightline::image
