#include "model/image/decode.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "model/image/codec.h"
#include "model/image/errors.h"
#include "model/image/jpeg.h"
#include "model/image/jpeg_header.h"
#include "model/image/memory.h"
#include "model/image/orient.h"
#include "model/image/png.h"
#include "model/image/signature.h"
#include "model/image/webp.h"

namespace sightline::image {
namespace {

absl::Status CheckEncodedSize(absl::string_view encoded, const Limits& limits) {
  if (encoded.empty()) {
    return base::InvalidArgument("IMAGE_EMPTY", "image has 0 bytes. Send the content of a JPEG, PNG or WebP file.");
  }
  if (static_cast<int64_t>(encoded.size()) > limits.max_encoded_bytes) {
    return base::InvalidArgument(
        "IMAGE_TOO_LARGE",
        absl::StrFormat("image has %d bytes (%.1f MiB); the limit is %d bytes (%.1f MiB). Compress it or raise "
                        "--max_image_bytes.",
                        encoded.size(), static_cast<double>(encoded.size()) / (1 << 20), limits.max_encoded_bytes,
                        static_cast<double>(limits.max_encoded_bytes) / (1 << 20)),
        {{"limit", absl::StrCat(limits.max_encoded_bytes)}, {"actual", absl::StrCat(encoded.size())}});
  }
  return absl::OkStatus();
}

absl::Status UnknownType(absl::string_view encoded) {
  const absl::string_view content = DescribeContent(encoded);
  return base::InvalidArgument(
      "IMAGE_TYPE_UNKNOWN",
      absl::StrCat("image looks like ", content, "; JPEG, PNG and WebP are read. Convert it to one of these."),
      {{"actual", std::string(content)}});
}

absl::StatusOr<Header> ReadHeaderOf(Format format, absl::string_view encoded) {
  switch (format) {
    case Format::kJpeg: return ReadJpegHeader(encoded);
    case Format::kPng: return ReadPngHeader(encoded);
    case Format::kWebp: return ReadWebpHeader(encoded);
  }
  return UnknownType(encoded);
}

}  // namespace

absl::string_view MimeType(Format format) {
  switch (format) {
    case Format::kJpeg: return "image/jpeg";
    case Format::kPng: return "image/png";
    case Format::kWebp: return "image/webp";
  }
  return "application/octet-stream";
}

absl::StatusOr<Header> ReadHeader(absl::string_view encoded, const Limits& limits) {
  SIGHTLINE_RETURN_IF_ERROR(CheckEncodedSize(encoded, limits));
  const std::optional<Format> format = DetectFormat(encoded);
  if (!format) return UnknownType(encoded);
  SIGHTLINE_ASSIGN_OR_RETURN(const Header header, ReadHeaderOf(*format, encoded));
  SIGHTLINE_RETURN_IF_ERROR(CheckSize(header.width, header.height, limits));
  return header;
}

absl::Status DecodePixels(absl::string_view encoded, const Header& header, int wanted_side, AllocatePixels allocate) {
  SIGHTLINE_RETURN_IF_ERROR(CheckMemory(header, encoded.size(), wanted_side));
  switch (header.format) {
    case Format::kJpeg: return DecodeJpeg(encoded, header, wanted_side, allocate);
    case Format::kPng: return DecodePng(encoded, header, wanted_side, allocate);
    case Format::kWebp: return DecodeWebp(encoded, header, wanted_side, allocate);
  }
  return UnknownType(encoded);
}

absl::StatusOr<Image> Decode(absl::string_view encoded, const Limits& limits, const DecodeOptions& options) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Header header, ReadHeader(encoded, limits));
  const PixelSize size = ReducedSize(header, options.wanted_side);
  Image image{size.width, size.height, {}, header.width, header.height};
  SIGHTLINE_RETURN_IF_ERROR(DecodePixels(encoded, header, options.wanted_side, [&image](size_t bytes) {
    image.rgb.resize(bytes);
    return image.rgb.data();
  }));
  image.rgb.resize(size.pixels() * 3);  // shorter where there was alpha
  return ApplyOrientation(std::move(image), header.orientation);
}

}  // namespace sightline::image
