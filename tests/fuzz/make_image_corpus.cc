// Writes the seeds of the image fuzz targets: small files of every kind the decoder reads or must refuse, made by the
// libraries it reads them with.
//
//   make_image_corpus tests/fuzz/corpus/image
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/model/image/make_exif.h"
#include "tests/model/image/make_image.h"
#include "tests/model/image/make_jpeg.h"
#include "tests/model/image/make_png.h"
#include "tests/model/image/make_webp.h"

namespace sightline::image {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

Files Pictures() {
  const Image image = Waves(20, 12);
  const absl::string_view pixel("\0\1\2\3", 4);
  return {
      {"jpeg_baseline", MakeJpeg(image, {.quality = 60, .markers = {{0xE1, MakeExif(6)}}})},
      {"jpeg_progressive", MakeJpeg(image, {.quality = 60, .progressive = true})},
      {"jpeg_scans", MakeJpeg(image, {.quality = 60, .separate_scans = true})},
      {"jpeg_restarts", MakeJpeg(image, {.quality = 60, .restart_rows = 1})},
      {"jpeg_grey", MakeJpeg(image, {.quality = 60, .colour = JpegColour::kGrey})},
      {"jpeg_rgb", MakeJpeg(image, {.quality = 60, .colour = JpegColour::kRgb})},
      {"jpeg_cmyk", MakeJpeg(image, {.quality = 60, .colour = JpegColour::kCmyk})},
      {"jpeg_ycck", MakeJpeg(image, {.quality = 60, .colour = JpegColour::kYcck})},
      {"png_rgb", MakePng(image, false, MakeTiff(3))},
      {"png_interlaced", MakePng(image, true)},
      {"png_grey_1", AssemblePng({.width = 9, .height = 2, .bits = 1, .colour = kPngGrey},
                                 absl::string_view("\0\x55\x80\1\x2A\0", 6))},
      {"png_grey_16",
       AssemblePng({.width = 2, .bits = 16, .colour = kPngGrey}, absl::string_view("\0\1\2\xFE\xFF", 5))},
      {"png_rgba", AssemblePng({.colour = kPngRgba}, absl::string_view("\0\1\2\3\x80", 5))},
      {"png_palette", AssemblePng({.width = 2, .colour = kPngPalette}, absl::string_view("\0\1\0", 3),
                                  PngChunk("PLTE", "abcdef") + PngChunk("tRNS", "\x80"))},
      {"png_profile",
       AssemblePng({}, pixel, PngChunk("iCCP", absl::StrCat("p", std::string(2, '\0'), Deflate("icc"))))},
      {"png_text", AssemblePng({}, pixel, PngChunk("tEXt", absl::StrCat("k", std::string(1, '\0'), "v")))},
      {"webp_lossy", MakeWebp(image, 50)},
      {"webp_lossless", MakeWebp(image, 0)},
      {"webp_exif", MakeWebpWithExif(image, MakeTiff(8))},
      {"webp_alpha", MakeWebpWithAlpha(image, std::vector<uint8_t>(20 * 12, 77))},
  };
}

Files Refusals() {
  const std::string frame = WebpChunk("ANMF", absl::StrCat(std::string(16, '\0'), MakeWebp(Waves(8, 8), 0).substr(12)));
  return {
      {"animated_webp", AssembleWebp(8, 8, 0x02, absl::StrCat(WebpChunk("ANIM", std::string(6, '\0')), frame, frame))},
      {"huge_jpeg", MakeJpegHeader(65535, 65535)},
      {"huge_png", AssemblePng({.width = 19000, .height = 19000}, "")},
      {"empty_png", AssemblePng({.width = 0, .height = 5}, "")},
      {"gif", "GIF89a\1"},
      {"tiff", MakeTiff(1)},
      {"heic", absl::StrCat(std::string(3, '\0'), "\x18", "ftypheic")},
      {"exif_without_end", MakeJpeg(Waves(8, 8), {.markers = {{0xE1, MakeExif(6, false, 40).substr(0, 90)}}})},
  };
}

int WriteFiles(const std::string& folder, const Files& files) {
  for (const auto& [name, bytes] : files) {
    std::ofstream stream(absl::StrCat(folder, "/", name), std::ios::binary | std::ios::trunc);
    stream << bytes << std::flush;
    if (!stream) {
      std::fprintf(stderr, "%s/%s cannot be written.\n", folder.c_str(), name.c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace sightline::image

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
    return 2;
  }
  for (int i = 1; i < argc; ++i) {
    for (const auto& files : {sightline::image::Pictures(), sightline::image::Refusals()}) {
      if (const int code = sightline::image::WriteFiles(argv[i], files); code != 0) return code;
    }
  }
  return 0;
}
