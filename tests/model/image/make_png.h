// PNG files of every kind for tests, assembled chunk by chunk.
#ifndef SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_PNG_H_
#define SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_PNG_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "model/image/image.h"

namespace sightline::image {

// PNG's colour types.
enum PngColour { kPngGrey = 0, kPngRgb = 2, kPngPalette = 3, kPngGreyAlpha = 4, kPngRgba = 6 };

struct PngHeader {
  uint32_t width = 1;
  uint32_t height = 1;
  int bits = 8;
  PngColour colour = kPngRgb;
  bool interlaced = false;  // only written to the header: the rows must be given accordingly
};

std::string PngSignature();
std::string PngChunk(absl::string_view type, absl::string_view data);
std::string PngHeaderChunk(const PngHeader& header);
// A zlib stream of `data`.
std::string Deflate(absl::string_view data);
// A zlib stream of `size` zero bytes, made without holding them.
std::string DeflateZeros(uint64_t size);

// A whole file: `rows` are the unfiltered bytes of all rows, each after its filter byte; `before` are chunks to put
// before the pixels, `after` behind them.
std::string AssemblePng(const PngHeader& header, absl::string_view rows, absl::string_view before = "",
                        absl::string_view after = "");

// An RGB picture by libpng.
std::string MakePng(const Image& image, bool interlaced = false, absl::string_view exif_tiff = "");

// A file of width x height black pixels, 1 bit each: thousands of times smaller than what it decodes to.
std::string MakePngBomb(uint32_t width, uint32_t height);

}  // namespace sightline::image

#endif  // SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_PNG_H_
