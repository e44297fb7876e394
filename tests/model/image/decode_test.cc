#include "model/image/decode.h"

#include <gtest/gtest.h>

#include <string>

#include "base/status.h"
#include "model/image/resize.h"
#include "tests/model/image/make_image.h"
#include "tests/model/image/make_jpeg.h"
#include "tests/model/image/make_png.h"
#include "tests/model/image/make_webp.h"

namespace sightline::image {
namespace {

Image Decoded(const std::string& bytes, int wanted_side = 0) {
  absl::StatusOr<Image> image = Decode(bytes, {}, {.wanted_side = wanted_side});
  EXPECT_TRUE(image.ok()) << image.status();
  return image.ok() ? *std::move(image) : Image{};
}

Image GreyOf(const Image& image) {
  Image grey = image;
  for (size_t i = 0; i < grey.rgb.size(); ++i) grey.rgb[i] = image.rgb[i / 3 * 3];
  return grey;
}

TEST(DecodeTest, EveryKindOfJpeg) {
  const Image image = Waves(75, 53);
  EXPECT_LT(MeanDifference(Decoded(MakeJpeg(image)), image), 1.5);
  EXPECT_LT(MeanDifference(Decoded(MakeJpeg(image, {.colour = JpegColour::kRgb})), image), 1.5);
  EXPECT_LT(MeanDifference(Decoded(MakeJpeg(image, {.colour = JpegColour::kGrey})), GreyOf(image)), 1.5);
  for (bool inverted : {false, true}) {
    SCOPED_TRACE(inverted ? "as Adobe writes it" : "plain inks");
    EXPECT_LT(MeanDifference(Decoded(MakeJpeg(image, {.colour = JpegColour::kCmyk, .inverted_inks = inverted})), image),
              1.5);
  }
  EXPECT_LT(MeanDifference(Decoded(MakeJpeg(image, {.colour = JpegColour::kYcck})), image), 1.5);
  EXPECT_LT(MeanDifference(Decoded(MakeJpeg(image, {.progressive = true})), image), 1.5);
  EXPECT_LT(MeanDifference(Decoded(MakeJpeg(image, {.separate_scans = true})), image), 1.5);
  EXPECT_LT(MeanDifference(Decoded(MakeJpeg(image, {.restart_rows = 1})), image), 1.5);
}

TEST(DecodeTest, PngAndWebp) {
  const Image image = Noise(75, 53, 7);
  EXPECT_EQ(MaxDifference(Decoded(MakePng(image)), image), 0);
  EXPECT_EQ(MaxDifference(Decoded(MakePng(image, true)), image), 0);
  EXPECT_EQ(MaxDifference(Decoded(MakeWebp(image, 0)), image), 0);
  EXPECT_LT(MeanDifference(Decoded(MakeWebp(Waves(75, 53), 95)), Waves(75, 53)), 3.0);
}

TEST(DecodeTest, WebpAlphaLiesOverWhite) {
  const Image black{3, 1, std::vector<uint8_t>(9, 0), 3, 1};
  const Image got = Decoded(MakeWebpWithAlpha(black, {0, 255, 128}));
  ASSERT_EQ(got.rgb.size(), 9u);
  EXPECT_EQ(got.rgb[0], 255);
  EXPECT_EQ(got.rgb[3], 0);
  EXPECT_EQ(got.rgb[6], 127);
}

TEST(DecodeTest, OnePixelInEveryFormat) {
  const Image dot{1, 1, {200, 100, 50}, 1, 1};
  for (const std::string& bytes :
       {MakeJpeg(dot), MakePng(dot), MakePng(dot, true), MakeWebp(dot, 0), MakeWebp(dot, 90)}) {
    const Image got = Decoded(bytes, 448);
    EXPECT_EQ(got.width, 1);
    EXPECT_EQ(got.height, 1);
    EXPECT_LE(MaxDifference(got, dot), 12);
  }
}

// A reduced decode must give nearly what reducing the full decode gives.
TEST(DecodeTest, WantedSideReduces) {
  const Image image = Waves(800, 600);
  for (const std::string& bytes :
       {MakeJpeg(image), MakeJpeg(image, {.progressive = true}), MakeJpeg(image, {.colour = JpegColour::kCmyk}),
        MakePng(image), MakePng(image, true), MakeWebp(image, 95), MakeWebp(image, 0)}) {
    const Image reduced = Decoded(bytes, 100);
    EXPECT_EQ(reduced.width, 200);
    EXPECT_EQ(reduced.height, 150);
    EXPECT_EQ(reduced.original_width, 800);
    EXPECT_EQ(reduced.original_height, 600);
    const Image full = Decoded(bytes);
    EXPECT_LT(MeanDifference(ResizeBicubic(reduced, {0, 0, 200, 150}, 100, 75),
                             ResizeBicubic(full, {0, 0, 800, 600}, 100, 75)),
              2.5);
  }
}

TEST(DecodeTest, SidesOfReducedImagesAreRoundedUp) {
  const Image image = Waves(801, 603);
  for (const std::string& bytes : {MakeJpeg(image), MakePng(image), MakeWebp(image, 95)}) {
    const Image reduced = Decoded(bytes, 100);
    EXPECT_EQ(reduced.width, 201);
    EXPECT_EQ(reduced.height, 151);
    EXPECT_EQ(reduced.original_width, 801);
  }
}

TEST(DecodeTest, AFileThatLacksOnlyItsEndMarkerIsWhole) {
  std::string bytes = MakeJpeg(Waves(64, 64));
  const Image whole = Decoded(bytes);
  bytes.resize(bytes.size() - 2);
  EXPECT_EQ(MaxDifference(Decoded(bytes), whole), 0);
}

TEST(DecodeTest, BytesBehindTheImageAreIgnored) {
  const Image image = Waves(20, 20);
  for (const std::string& bytes : {MakeJpeg(image), MakePng(image), MakeWebp(image, 0)}) {
    EXPECT_EQ(MaxDifference(Decoded(bytes + std::string(1000, 'x')), Decoded(bytes)), 0);
  }
}

TEST(DecodeTest, LimitsAreReadFromTheHeader) {
  const Image image = Waves(40, 30);
  for (const std::string& bytes : {MakeJpeg(image), MakePng(image), MakeWebp(image, 90)}) {
    EXPECT_TRUE(ReadHeader(bytes, {.max_pixels = 1200, .max_side = 40}).ok());
    EXPECT_EQ(base::GetErrorInfo(ReadHeader(bytes, {.max_pixels = 1199}).status()).reason, "IMAGE_TOO_MANY_PIXELS");
    const absl::Status side = Decode(bytes, {.max_side = 39}, {}).status();
    EXPECT_EQ(base::GetErrorInfo(side).reason, "IMAGE_SIDE_TOO_LONG");
    EXPECT_EQ(side.message(), "image is 40x30; the limit is 39 pixels a side. Resize it or raise --max_image_side.");
    const Limits small{.max_encoded_bytes = static_cast<int64_t>(bytes.size()) - 1};
    EXPECT_EQ(base::GetErrorInfo(Decode(bytes, small, {}).status()).reason, "IMAGE_TOO_LARGE");
  }
  EXPECT_EQ(base::GetErrorInfo(Decode("", {}, {}).status()).reason, "IMAGE_EMPTY");
}

TEST(MimeTypeTest, NamesEveryFormat) {
  EXPECT_EQ(MimeType(ReadHeader(MakeJpeg(Waves(2, 2)), {})->format), "image/jpeg");
  EXPECT_EQ(MimeType(ReadHeader(MakePng(Waves(2, 2)), {})->format), "image/png");
  EXPECT_EQ(MimeType(ReadHeader(MakeWebp(Waves(2, 2), 0), {})->format), "image/webp");
}

}  // namespace
}  // namespace sightline::image
