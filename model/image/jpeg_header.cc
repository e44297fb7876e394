#include "model/image/jpeg_header.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/errors.h"
#include "model/image/exif.h"

namespace sightline::image {
namespace {

constexpr uint8_t kStartOfScan = 0xDA;
constexpr uint8_t kEndOfImage = 0xD9;
constexpr uint8_t kApp1 = 0xE1;
constexpr uint8_t kTemporary = 0x01;
constexpr int64_t kBlockBytes = 64 * 2;  // coefficients of 16 bits

struct Component {
  int across;  // sampling factors
  int down;
};

struct Frame {
  uint8_t process = 0;  // 0xC0 to 0xCF
  int width = 0;
  int height = 0;
  std::vector<Component> components;
};

bool IsFrame(uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Sequential and progressive, by Huffman or arithmetic codes; not lossless, not hierarchical.
bool IsRead(uint8_t process) { return process <= 0xC2 || process == 0xC9 || process == 0xCA; }

bool IsProgressive(uint8_t process) { return process == 0xC2 || process == 0xCA; }

int U16Of(absl::string_view bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]) << 8 | static_cast<uint8_t>(bytes[at + 1]);
}

absl::StatusOr<Frame> ReadFrame(uint8_t process, absl::string_view data) {
  if (!IsRead(process)) {
    return UnsupportedVariant(Format::kJpeg, absl::StrCat("it is coded by process ", process - 0xC0));
  }
  if (data.size() < 6 || data.size() != 6 + 3 * size_t{static_cast<uint8_t>(data[5])}) {
    return Corrupt(Format::kJpeg, "its frame header has a wrong length");
  }
  Frame frame;
  frame.process = process;
  frame.height = U16Of(data, 1);
  frame.width = U16Of(data, 3);
  for (size_t at = 6; at < data.size(); at += 3) {
    const int factors = static_cast<uint8_t>(data[at + 1]);
    frame.components.push_back({factors >> 4, factors & 15});
    const auto [across, down] = frame.components.back();
    if (across < 1 || across > 4 || down < 1 || down > 4) {
      return Corrupt(Format::kJpeg, absl::StrCat("its sampling factors are ", across, "x", down));
    }
  }
  if (frame.width > 0 && frame.height > 0 && frame.components.empty()) {
    return Corrupt(Format::kJpeg, "it has no colour components");
  }
  if (data[0] != 8) {
    return UnsupportedVariant(Format::kJpeg, absl::StrCat("its samples have ", static_cast<uint8_t>(data[0]), " bits"));
  }
  return frame;
}

// A file of several scans is held as coefficients until the last one is read.
int64_t CoefficientBytes(const Frame& frame) {
  int most_across = 1;
  int most_down = 1;
  for (const auto& [across, down] : frame.components) {
    most_across = std::max(most_across, across);
    most_down = std::max(most_down, down);
  }
  const auto blocks = [](int side, int factor, int most) {
    const int64_t units = (side + int64_t{8} * most - 1) / (int64_t{8} * most);
    return units * factor;
  };
  int64_t bytes = 0;
  for (const auto& [across, down] : frame.components) {
    bytes += blocks(frame.width, across, most_across) * blocks(frame.height, down, most_down) * kBlockBytes;
  }
  return bytes;
}

}  // namespace

absl::StatusOr<Header> ReadJpegHeader(absl::string_view encoded) {
  const absl::Status truncated = Truncated(Format::kJpeg, absl::StrCat("it has only ", encoded.size(), " bytes"));
  Header header;
  header.format = Format::kJpeg;
  std::optional<Frame> frame;
  bool has_exif = false;
  size_t at = 2;  // behind the signature
  while (true) {
    // Bytes between segments are skipped, as every reader does: up to 0xFF and a marker that is neither fill nor 0.
    at = encoded.find('\xFF', at);
    if (at == absl::string_view::npos) return truncated;
    at = encoded.find_first_not_of('\xFF', at);
    if (at == absl::string_view::npos) return truncated;
    const uint8_t marker = static_cast<uint8_t>(encoded[at++]);
    const bool restart = marker >= 0xD0 && marker <= 0xD7;
    if (marker == 0 || marker == kTemporary || restart) continue;
    if (marker == kEndOfImage) return Corrupt(Format::kJpeg, "it ends before its first scan");
    if (encoded.size() - at < 2) return truncated;
    const size_t length = U16Of(encoded, at);
    if (length < 2) return Corrupt(Format::kJpeg, absl::StrCat("a segment names ", length, " bytes"));
    if (length > encoded.size() - at) return truncated;
    const absl::string_view data = encoded.substr(at + 2, length - 2);
    at += length;
    if (IsFrame(marker)) {
      if (frame) return Corrupt(Format::kJpeg, "it has two frames");
      SIGHTLINE_ASSIGN_OR_RETURN(frame, ReadFrame(marker, data));
    } else if (marker == kApp1 && !has_exif && absl::StartsWith(data, absl::string_view("Exif\0\0", 6))) {
      has_exif = true;
      header.orientation = ExifOrientation(data);
    } else if (marker == kStartOfScan) {
      if (!frame) return Corrupt(Format::kJpeg, "its first scan comes before its frame");
      header.width = frame->width;
      header.height = frame->height;
      const size_t in_scan = data.empty() ? 0 : static_cast<uint8_t>(data[0]);
      if (IsProgressive(frame->process) || in_scan < frame->components.size()) {
        header.work_bytes = CoefficientBytes(*frame);
      }
      return header;
    }
  }
}

}  // namespace sightline::image
