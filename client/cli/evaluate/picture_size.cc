#include "client/cli/evaluate/picture_size.h"

#include <cstddef>

#include "absl/strings/match.h"

namespace sightline::cli {
namespace {

int Big(absl::string_view bytes, size_t position, size_t width) {
  int number = 0;
  for (size_t i = 0; i < width; ++i) number = number * 256 + static_cast<unsigned char>(bytes[position + i]);
  return number;
}

std::optional<std::pair<int, int>> JpegSize(absl::string_view bytes) {
  size_t at = 2;
  while (at + 9 < bytes.size()) {
    if (bytes[at] != '\xff') return std::nullopt;
    const auto marker = static_cast<unsigned char>(bytes[at + 1]);
    if (marker == 0xff) {  // fill
      ++at;
      continue;
    }
    // Start of frame: all of C0 to CF but the tables C4 and CC and the extension C8.
    if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
      return std::make_pair(Big(bytes, at + 7, 2), Big(bytes, at + 5, 2));
    }
    at += 2 + static_cast<size_t>(Big(bytes, at + 2, 2));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::pair<int, int>> PictureSize(absl::string_view bytes) {
  std::optional<std::pair<int, int>> size;
  if (absl::StartsWith(bytes, "\xff\xd8")) {
    size = JpegSize(bytes);
  } else if (absl::StartsWith(bytes, "\x89PNG\r\n\x1a\n") && bytes.size() >= 24 && bytes[16] == 0 && bytes[20] == 0) {
    size = std::make_pair(Big(bytes, 17, 3), Big(bytes, 21, 3));
  }
  if (!size || size->first <= 0 || size->second <= 0) return std::nullopt;
  return size;
}

}  // namespace sightline::cli
