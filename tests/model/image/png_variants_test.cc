#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "tests/model/image/make_png.h"

namespace sightline::image {
namespace {

using Rgb = std::vector<uint8_t>;

Rgb PixelsOf(const std::string& png) {
  const absl::StatusOr<Image> image = Decode(png, {}, {});
  EXPECT_TRUE(image.ok()) << image.status();
  return image.ok() ? image->rgb : Rgb();
}

std::string Bytes(std::initializer_list<int> values) {
  std::string out;
  for (int value : values) out.push_back(static_cast<char>(value));
  return out;
}

TEST(PngVariantsTest, GreyOfEveryDepth) {
  EXPECT_EQ(PixelsOf(AssemblePng({.width = 2, .bits = 1, .colour = kPngGrey}, Bytes({0, 0x40}))),
            (Rgb{0, 0, 0, 255, 255, 255}));
  EXPECT_EQ(PixelsOf(AssemblePng({.width = 2, .bits = 2, .colour = kPngGrey}, Bytes({0, 0x60}))),
            (Rgb{85, 85, 85, 170, 170, 170}));
  EXPECT_EQ(PixelsOf(AssemblePng({.width = 2, .bits = 4, .colour = kPngGrey}, Bytes({0, 0x1F}))),
            (Rgb{17, 17, 17, 255, 255, 255}));
  EXPECT_EQ(PixelsOf(AssemblePng({.width = 2, .bits = 8, .colour = kPngGrey}, Bytes({0, 9, 200}))),
            (Rgb{9, 9, 9, 200, 200, 200}));
  EXPECT_EQ(PixelsOf(AssemblePng({.width = 2, .bits = 16, .colour = kPngGrey}, Bytes({0, 0, 128, 0xFF, 0xFF}))),
            (Rgb{0, 0, 0, 255, 255, 255}));
}

TEST(PngVariantsTest, SixteenBitColourIsRounded) {
  EXPECT_EQ(PixelsOf(AssemblePng({.bits = 16, .colour = kPngRgb}, Bytes({0, 0x80, 0x80, 0x01, 0x00, 0x00, 0xFF}))),
            (Rgb{128, 1, 1}));
}

TEST(PngVariantsTest, PalettesOfEveryDepthAndTheirTransparency) {
  const std::string palette = PngChunk("PLTE", Bytes({10, 20, 30, 200, 100, 0}));
  for (int bits : {1, 2, 4, 8}) {
    const int both = bits == 8 ? 0 : 1 << (8 - 2 * bits);  // indices 0 and 1 in the first byte
    const std::string rows = bits == 8 ? Bytes({0, 0, 1}) : Bytes({0, both});
    const PngHeader header{.width = 2, .bits = bits, .colour = kPngPalette};
    EXPECT_EQ(PixelsOf(AssemblePng(header, rows, palette)), (Rgb{10, 20, 30, 200, 100, 0})) << bits;
    EXPECT_EQ(PixelsOf(AssemblePng(header, rows, palette + PngChunk("tRNS", Bytes({0})))),
              (Rgb{255, 255, 255, 200, 100, 0}));
  }
}

TEST(PngVariantsTest, AlphaLiesOverWhite) {
  EXPECT_EQ(
      PixelsOf(AssemblePng({.width = 3, .colour = kPngRgba}, Bytes({0, 1, 2, 3, 255, 1, 2, 3, 0, 0, 100, 200, 128}))),
      (Rgb{1, 2, 3, 255, 255, 255, 127, 177, 227}));
  EXPECT_EQ(PixelsOf(AssemblePng({.width = 2, .colour = kPngGreyAlpha}, Bytes({0, 7, 255, 7, 0}))),
            (Rgb{7, 7, 7, 255, 255, 255}));
  EXPECT_EQ(PixelsOf(AssemblePng({.bits = 16, .colour = kPngRgba}, Bytes({0, 0, 0, 0, 0, 0, 0, 0x80, 0x00}))),
            (Rgb{127, 127, 127}));
  EXPECT_EQ(
      PixelsOf(AssemblePng({.colour = kPngRgb}, Bytes({0, 1, 2, 3}), PngChunk("tRNS", Bytes({0, 1, 0, 2, 0, 3})))),
      (Rgb{255, 255, 255}));
}

// Profiles and gamma do not touch the values: descriptors are computed from them as they are stored.
TEST(PngVariantsTest, ColourManagementIsIgnored) {
  const std::string gamma = PngChunk("gAMA", Bytes({0, 1, 0x86, 0xA0}));
  EXPECT_EQ(PixelsOf(AssemblePng({.colour = kPngRgba}, Bytes({0, 50, 60, 70, 255}), gamma)), (Rgb{50, 60, 70}));
}

TEST(PngVariantsTest, AnimationsAreRefusedAndSingleFramesAreNot) {
  const auto animated = [](int frames) {
    return AssemblePng({}, Bytes({0, 1, 2, 3}), PngChunk("acTL", Bytes({0, 0, 0, frames, 0, 0, 0, 0})));
  };
  EXPECT_TRUE(Decode(animated(1), {}, {}).ok());
  const absl::Status status = ReadHeader(animated(12), {}).status();
  EXPECT_EQ(base::GetErrorInfo(status).reason, "IMAGE_ANIMATED");
  EXPECT_EQ(status.message(), "image is an animated PNG of 12 frames; the limit is 1 frame. Send one frame of it.");
}

}  // namespace
}  // namespace sightline::image
