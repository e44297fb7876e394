#include "tests/model/image/make_webp.h"

#include <webp/encode.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace sightline::image {
namespace {

std::string Little(uint32_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> 8 * i));
  return out;
}

std::string Take(uint8_t* bytes, size_t size) {
  const std::unique_ptr<uint8_t, void (*)(void*)> owner(bytes, WebPFree);
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

}  // namespace

std::string MakeWebp(const Image& image, float quality) {
  uint8_t* bytes = nullptr;
  const int stride = image.width * 3;
  const size_t size = quality > 0 ? WebPEncodeRGB(image.rgb.data(), image.width, image.height, stride, quality, &bytes)
                                  : WebPEncodeLosslessRGB(image.rgb.data(), image.width, image.height, stride, &bytes);
  return Take(bytes, size);
}

std::string MakeWebpWithAlpha(const Image& image, const std::vector<uint8_t>& alpha) {
  std::vector<uint8_t> rgba;
  for (size_t i = 0; i < alpha.size(); ++i) {
    rgba.insert(rgba.end(), &image.rgb[3 * i], &image.rgb[3 * i] + 3);
    rgba.push_back(alpha[i]);
  }
  uint8_t* bytes = nullptr;
  const size_t size = WebPEncodeLosslessRGBA(rgba.data(), image.width, image.height, image.width * 4, &bytes);
  return Take(bytes, size);
}

std::string WebpChunk(absl::string_view type, absl::string_view data) {
  std::string out = absl::StrCat(type, Little(static_cast<uint32_t>(data.size()), 4), data);
  if (data.size() % 2 == 1) out.push_back('\0');
  return out;
}

std::string AssembleWebp(int width, int height, uint8_t flags, absl::string_view chunks) {
  const std::string extended = absl::StrCat(Little(flags, 4), Little(static_cast<uint32_t>(width - 1), 3),
                                            Little(static_cast<uint32_t>(height - 1), 3));
  const std::string body = absl::StrCat("WEBP", WebpChunk("VP8X", extended), chunks);
  return absl::StrCat("RIFF", Little(static_cast<uint32_t>(body.size()), 4), body);
}

std::string MakeWebpWithExif(const Image& image, absl::string_view exif) {
  constexpr size_t kRiffHeader = 12;
  const std::string plain = MakeWebp(image, 0);
  return AssembleWebp(image.width, image.height, 0x08,
                      absl::StrCat(plain.substr(kRiffHeader), WebpChunk("EXIF", exif)));
}

}  // namespace sightline::image
