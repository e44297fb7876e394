#include "model/image/webp.h"

#include <webp/decode.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/errors.h"
#include "model/image/exif.h"
#include "model/image/memory.h"
#include "model/image/over_white.h"

namespace sightline::image {
namespace {

constexpr size_t kRiffHeader = 12;  // "RIFF", size, "WEBP"
constexpr size_t kChunkHeader = 8;  // type, size

uint32_t Little32(absl::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// Tables of prefix codes of lossless pixels: up to 18 KiB for each block of 4 x 4 pixels that has its own, and encoders
// stop at 2,600 of them. A file made to have more fails where memory is limited.
constexpr int64_t kMostBlocks = 1 << 16;  // with tables of their own: their numbers have 16 bits
constexpr int64_t kTablesPerBlock = 18 << 10;
constexpr int64_t kMostTables = int64_t{40} << 20;

// What the chunks say.
struct Chunks {
  int64_t frames = 0;
  bool animated = false;
  absl::string_view extended;  // VP8X
  absl::string_view alpha;     // ALPH
  absl::string_view lossy;     // "VP8 "
  absl::string_view lossless;  // VP8L
  int orientation = 1;
};

absl::StatusOr<Chunks> WalkChunks(absl::string_view encoded) {
  if (encoded.size() < kRiffHeader + kChunkHeader) return Truncated(Format::kWebp, "its header is cut");
  const uint64_t size = uint64_t{Little32(encoded, 4)} + kChunkHeader;
  if (size > encoded.size()) {
    return Truncated(Format::kWebp, absl::StrCat("it names ", size, " bytes, ", encoded.size(), " are there"));
  }
  const absl::string_view riff = encoded.substr(0, size);
  Chunks chunks;
  for (uint64_t at = kRiffHeader; at + kChunkHeader <= riff.size();) {
    const absl::string_view type = riff.substr(at, 4);
    const uint64_t length = Little32(riff, at + 4);
    if (length > riff.size() - at - kChunkHeader) return Corrupt(Format::kWebp, "a chunk reaches beyond the file");
    const absl::string_view data = riff.substr(at + kChunkHeader, length);
    const bool has_pixels = !chunks.lossy.empty() || !chunks.lossless.empty();
    if (type == "ANMF") ++chunks.frames;
    if (type == "EXIF") chunks.orientation = ExifOrientation(data);
    if (type == "VP8X" && at == kRiffHeader) chunks.extended = data;
    if (type == "ALPH" && !has_pixels) chunks.alpha = data;
    if (type == "VP8 " && !has_pixels) chunks.lossy = data;
    if (type == "VP8L" && !has_pixels) chunks.lossless = data;
    at += kChunkHeader + length + length % 2;  // chunks are padded to even sizes
  }
  return chunks;
}

uint32_t Little24(absl::string_view bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]) | static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + 1])) << 8 |
         static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + 2])) << 16;
}

// RFC 6386 section 9.1: a tag of 3 bytes, the start code of a key frame, and two sizes whose upper two bits scale.
absl::Status ReadLossyHeader(absl::string_view data, Header* header) {
  if (data.size() < 10) return Truncated(Format::kWebp, "its pixels are cut");
  const bool key_frame = (data[0] & 1) == 0;
  if (!key_frame || data.substr(3, 3) != "\x9D\x01\x2A") return Corrupt(Format::kWebp, "its pixels have no start code");
  header->width = static_cast<int>(Little24(data, 6) & 0x3FFF);
  header->height = static_cast<int>(Little24(data, 7) >> 8 & 0x3FFF);
  return absl::OkStatus();
}

// A signature, 14 bits each of width - 1 and height - 1, a bit for alpha and 3 of a version, which is 0.
absl::Status ReadLosslessHeader(absl::string_view data, Header* header) {
  if (data.size() < 5) return Truncated(Format::kWebp, "its pixels are cut");
  const uint32_t bits = Little32(data, 1);
  if (data[0] != 0x2F || bits >> 29 != 0) return Corrupt(Format::kWebp, "its pixels have no signature");
  header->width = static_cast<int>(bits & 0x3FFF) + 1;
  header->height = static_cast<int>(bits >> 14 & 0x3FFF) + 1;
  header->alpha = (bits >> 28 & 1) != 0;
  return absl::OkStatus();
}

// With and without a limit of memory. `beside`: what is held beside the lossless pixels.
void SetLosslessWork(int64_t pixels, int64_t beside, Header* header) {
  // Sides that are no multiple of 4 have blocks that are cut.
  const int64_t blocks = int64_t{(header->width + 3) / 4} * ((header->height + 3) / 4);
  header->work_bytes = beside + 4 * pixels + std::min(kMostTables, pixels / 16 * kTablesPerBlock);
  header->most_work_bytes = beside + 4 * pixels + std::min(kMostBlocks, blocks) * kTablesPerBlock;
}

absl::Status WebpFailure(VP8StatusCode code, const Header& header) {
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
  constexpr uint8_t kAnimationFlag = 0x02;
  constexpr uint8_t kAlphaFlag = 0x10;
  constexpr size_t kExtendedSize = 10;
  Header header;
  header.format = Format::kWebp;
  header.orientation = chunks.orientation;
  if (!chunks.extended.empty()) {
    if (chunks.extended.size() < kExtendedSize) return Corrupt(Format::kWebp, "its extended header is cut");
    if ((chunks.extended[0] & kAnimationFlag) != 0) return Animated(Format::kWebp, chunks.frames);
  }
  if (!chunks.lossless.empty()) {
    SIGHTLINE_RETURN_IF_ERROR(ReadLosslessHeader(chunks.lossless, &header));
    SetLosslessWork(int64_t{header.width} * header.height, /*beside=*/0, &header);
  } else if (!chunks.lossy.empty()) {
    SIGHTLINE_RETURN_IF_ERROR(ReadLossyHeader(chunks.lossy, &header));
    const bool flagged = !chunks.extended.empty() && (chunks.extended[0] & kAlphaFlag) != 0;
    header.alpha = flagged || !chunks.alpha.empty();
    const int64_t pixels = int64_t{header.width} * header.height;
    if (!chunks.alpha.empty()) SetLosslessWork(pixels, /*beside=*/pixels, &header);
  } else {
    return Corrupt(Format::kWebp, "it holds no picture");
  }
  if (!chunks.extended.empty()) {
    const int64_t width = Little24(chunks.extended, 4) + int64_t{1};
    const int64_t height = Little24(chunks.extended, 7) + int64_t{1};
    if (width != header.width || height != header.height) return Corrupt(Format::kWebp, "it names two sizes");
  }
  return header;
}

absl::Status DecodeWebp(absl::string_view encoded, const Header& header, int wanted_side, AllocatePixels allocate) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return Corrupt(Format::kWebp, "the library's version does not fit");
  const VP8StatusCode code = WebPGetFeatures(Bytes(encoded), encoded.size(), &config.input);
  if (code != VP8_STATUS_OK) return WebpFailure(code, header);
  if (config.input.width != header.width || config.input.height != header.height) {
    return Corrupt(Format::kWebp, "it names two sizes");
  }
  const PixelSize size = ReducedSize(header, wanted_side);
  const int channels = header.alpha ? 4 : 3;
  const size_t bytes = OutputBytes(header, wanted_side);
  uint8_t* const pixels = allocate(bytes);
  config.options.use_scaling = size.width != header.width || size.height != header.height;
  config.options.scaled_width = size.width;
  config.options.scaled_height = size.height;
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {pixels, size.width * channels, bytes};
  const VP8StatusCode decoded = WebPDecode(Bytes(encoded), encoded.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (decoded != VP8_STATUS_OK) return WebpFailure(decoded, header);
  if (channels == 4) OverWhite(pixels, size.pixels(), pixels);
  return absl::OkStatus();
}

}  // namespace sightline::image
