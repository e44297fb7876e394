// Any bytes as an image that is decoded: the last one chooses how far it is reduced. The limit of pixels is low, so
// that an input takes milliseconds; the limits themselves are the business of image_header_fuzz. The checksums of a
// PNG's chunks are made right, so that what is behind them is reached.
#include <zlib.h>

#include <string>

#include "absl/strings/match.h"
#include "model/image/decode.h"
#include "tests/fuzz/fuzz_check.h"

namespace sightline {
namespace {

void RepairPng(std::string* bytes) {
  if (!absl::StartsWith(*bytes, "\x89PNG")) return;
  const auto big_endian = [bytes](size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>((*bytes)[at + i]);
    return value;
  };
  // Length, type, content, checksum of type and content.
  for (size_t at = 8; at + 12 <= bytes->size();) {
    const size_t length = big_endian(at);
    if (length > bytes->size() - at - 12) return;
    const auto* const type = reinterpret_cast<const unsigned char*>(bytes->data()) + at + 4;
    const auto checksum = static_cast<uint32_t>(crc32_z(0, type, length + 4));
    for (size_t i = 0; i < 4; ++i) (*bytes)[at + 8 + length + i] = static_cast<char>(checksum >> (24 - 8 * i));
    at += 12 + length;
  }
}

}  // namespace
}  // namespace sightline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  const image::Limits limits = {.max_encoded_bytes = 1 << 20, .max_pixels = 1 << 18, .max_side = 4096};
  const int wanted_side = size > 0 && data[size - 1] % 2 == 1 ? 16 : 0;
  std::string bytes(testing::View(data, size));
  RepairPng(&bytes);
  const auto picture = image::Decode(bytes, limits, {.wanted_side = wanted_side});
  testing::CheckAnswer(picture.status());
  if (picture.ok()) testing::Expect(picture->rgb.size() == size_t{3} * picture->width * picture->height);
  return 0;
}
