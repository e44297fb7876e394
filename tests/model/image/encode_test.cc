#include "model/image/encode.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "model/image/decode.h"
#include "model/image/preview.h"
#include "tests/model/image/make_image.h"

namespace sightline::image {
namespace {

TEST(EncodeJpegTest, DecodesToNearlyTheSame) {
  const Image image = Waves(123, 77);
  const absl::StatusOr<std::string> bytes = EncodeJpeg(image, 95);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const absl::StatusOr<Image> back = Decode(*bytes, {}, {});
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_LT(MeanDifference(*back, image), 2.0);
  EXPECT_LT(EncodeJpeg(image, 20)->size(), bytes->size());
}

TEST(EncodeJpegTest, WrongArgumentsAreNamed) {
  const Image image = Waves(4, 4);
  for (int quality : {0, 101, -5}) {
    EXPECT_EQ(base::GetErrorInfo(EncodeJpeg(image, quality).status()).reason, "QUALITY_OUT_OF_RANGE");
  }
  Image shorter = image;
  shorter.rgb.pop_back();
  const Image wrong[] = {Image{}, shorter, Image{65501, 1, std::vector<uint8_t>(65501 * 3), 65501, 1}};
  for (const Image& bad : wrong) {
    EXPECT_EQ(base::GetErrorInfo(EncodeJpeg(bad, 90).status()).reason, "IMAGE_SIZE_INVALID");
  }
}

TEST(MakePreviewTest, LimitsTheLongestSide) {
  const absl::StatusOr<std::string> bytes = MakePreview(Waves(640, 90), 160, 85);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const absl::StatusOr<Header> header = ReadHeader(*bytes, {});
  EXPECT_EQ(header->width, 160);
  EXPECT_EQ(header->height, 23);
  EXPECT_EQ(ReadHeader(*MakePreview(Waves(2000, 1), 100, 85), {})->height, 1);
  EXPECT_EQ(ReadHeader(*MakePreview(Waves(40, 30), 100, 85), {})->width, 40);
  EXPECT_EQ(base::GetErrorInfo(MakePreview(Waves(40, 30), 0, 85).status()).reason, "PREVIEW_SIDE_OUT_OF_RANGE");
}

}  // namespace
}  // namespace sightline::image
