#include "model/image/exif.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace sightline::image {
namespace {

constexpr uint32_t kOrientationTag = 0x0112;
constexpr uint32_t kShortType = 3;
constexpr size_t kEntrySize = 12;

// Bounded reads from a TIFF block; what lies outside reads as 0.
class Tiff {
 public:
  Tiff(absl::string_view bytes, bool little) : bytes_(bytes), little_(little) {}

  uint32_t U16(size_t at) const { return Read(at, 2); }
  uint32_t U32(size_t at) const { return Read(at, 4); }
  size_t size() const { return bytes_.size(); }

 private:
  uint32_t Read(size_t at, size_t count) const {
    if (at > bytes_.size() || bytes_.size() - at < count) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      value = value << 8 | static_cast<uint8_t>(bytes_[little_ ? at + count - 1 - i : at + i]);
    }
    return value;
  }

  const absl::string_view bytes_;
  const bool little_;
};

}  // namespace

int ExifOrientation(absl::string_view exif) {
  absl::ConsumePrefix(&exif, absl::string_view("Exif\0\0", 6));
  const bool little = absl::StartsWith(exif, absl::string_view("II*\0", 4));
  if (!little && !absl::StartsWith(exif, absl::string_view("MM\0*", 4))) return 1;
  const Tiff tiff(exif, little);
  const size_t directory = tiff.U32(4);
  const size_t entries = tiff.U16(directory);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntrySize;
    if (entry + kEntrySize > tiff.size()) return 1;
    if (tiff.U16(entry) != kOrientationTag) continue;
    const uint32_t value = tiff.U16(entry + 8);
    const bool valid = tiff.U16(entry + 2) == kShortType && tiff.U32(entry + 4) == 1 && value >= 1 && value <= 8;
    return valid ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace sightline::image
