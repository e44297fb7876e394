#include "model/image/webp.h"

#include <webp/decode.h>

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/errors.h"
#include "model/image/exif.h"
#include "model/image/over_white.h"
#include "model/image/reduce.h"

namespace sightline::image {
namespace {

constexpr size_t kRiffHeader = 12;  // "RIFF", size, "WEBP"
constexpr size_t kChunkHeader = 8;  // type, size

uint32_t U32(absl::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// What the chunks beside the pixels say.
struct Chunks {
  int orientation = 1;
  int64_t frames = 0;
};

absl::StatusOr<Chunks> WalkChunks(absl::string_view encoded) {
  if (encoded.size() < kRiffHeader + kChunkHeader) return Truncated(Format::kWebp, "its header is cut");
  const uint64_t size = uint64_t{U32(encoded, 4)} + kChunkHeader;
  if (size > encoded.size()) {
    return Truncated(Format::kWebp, absl::StrCat("it names ", size, " bytes, ", encoded.size(), " are there"));
  }
  const absl::string_view riff = encoded.substr(0, size);
  Chunks chunks;
  for (uint64_t at = kRiffHeader; at + kChunkHeader <= riff.size();) {
    const absl::string_view type = riff.substr(at, 4);
    const uint64_t length = U32(riff, at + 4);
    if (length > riff.size() - at - kChunkHeader) return Corrupt(Format::kWebp, "a chunk reaches beyond the file");
    if (type == "ANMF") ++chunks.frames;
    if (type == "EXIF") chunks.orientation = ExifOrientation(riff.substr(at + kChunkHeader, length));
    at += kChunkHeader + length + length % 2;  // chunks are padded to even sizes
  }
  return chunks;
}

absl::Status Failure(VP8StatusCode code, const Header& header) {
  switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY: return OutOfMemory(Format::kWebp, header.width, header.height);
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA: return Truncated(Format::kWebp, "its pixels are cut");
    case VP8_STATUS_UNSUPPORTED_FEATURE: return Corrupt(Format::kWebp, "it uses an unknown feature");
    default: return Corrupt(Format::kWebp, "its pixels cannot be decoded");
  }
}

const uint8_t* Bytes(absl::string_view encoded) { return reinterpret_cast<const uint8_t*>(encoded.data()); }

}  // namespace

absl::StatusOr<Header> ReadWebpHeader(absl::string_view encoded) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Chunks chunks, WalkChunks(encoded));
  Header header;
  header.format = Format::kWebp;
  header.orientation = chunks.orientation;
  WebPBitstreamFeatures features;
  const VP8StatusCode code = WebPGetFeatures(Bytes(encoded), encoded.size(), &features);
  if (code != VP8_STATUS_OK) return Failure(code, header);
  if (features.has_animation) return Animated(Format::kWebp, chunks.frames);
  header.width = features.width;
  header.height = features.height;
  return header;
}

absl::StatusOr<Image> DecodeWebp(absl::string_view encoded, const Header& header, int wanted_side) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return Corrupt(Format::kWebp, "the library's version does not fit");
  const VP8StatusCode code = WebPGetFeatures(Bytes(encoded), encoded.size(), &config.input);
  if (code != VP8_STATUS_OK) return Failure(code, header);
  const int divisor = ReductionFor(header.width, header.height, wanted_side);
  Image image{ReducedSide(header.width, divisor), ReducedSide(header.height, divisor), {}, header.width, header.height};
  const size_t pixels = static_cast<size_t>(image.width) * image.height;
  const int channels = config.input.has_alpha ? 4 : 3;
  image.rgb.resize(pixels * channels);
  config.options.use_scaling = divisor > 1;
  config.options.scaled_width = image.width;
  config.options.scaled_height = image.height;
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {image.rgb.data(), image.width * channels, image.rgb.size()};
  const VP8StatusCode decoded = WebPDecode(Bytes(encoded), encoded.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (decoded != VP8_STATUS_OK) return Failure(decoded, header);
  if (channels == 4) {
    OverWhite(image.rgb.data(), pixels, image.rgb.data());
    image.rgb.resize(pixels * 3);
  }
  return image;
}

}  // namespace sightline::image
