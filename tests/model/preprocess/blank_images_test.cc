#include "model/preprocess/blank_images.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "model/preprocess/sizes.h"

namespace sightline::model {
namespace {

TEST(BlankImagesTest, OneOfEachBucketByPixelsAfterTheSmallest) {
  PreprocessConfig config;
  config.image_size = 512;
  config.aspect_ratios = {0.5, 0.75, 1, 4.0 / 3, 2};
  config.scales = {0.5, 1};
  const std::vector<PreparedImage> images = BlankImages(config);
  ASSERT_EQ(images.size(), 6u);
  EXPECT_EQ(images.front().bucket, "64x64,64x64");
  std::set<std::string> buckets;
  int64_t before = 0;
  for (const PreparedImage& image : images) {
    EXPECT_TRUE(buckets.insert(image.bucket).second);
    EXPECT_GE(PixelsOf(image), before);
    before = PixelsOf(image);
    ASSERT_EQ(image.planes.size(), 2u);
    for (const PreparedImage::Plane& plane : image.planes) {
      EXPECT_EQ(plane.chw.size(), size_t{3} * plane.width * plane.height);
    }
  }
  // The buckets that real images get.
  for (const auto& [width, height] : {std::pair(4000, 3000), {3000, 4000}, {900, 900}, {100, 2000}, {2000, 900}}) {
    EXPECT_TRUE(buckets.contains(BucketName(PlaneSizes(config, width * 10, height * 10)))) << width << "x" << height;
  }
}

TEST(BlankImagesTest, ASquareWhereEveryRatioIsKept) {
  PreprocessConfig config;
  config.image_size = 320;
  config.size_multiple = 32;
  const std::vector<PreparedImage> images = BlankImages(config);
  ASSERT_EQ(images.size(), 2u);
  EXPECT_EQ(images[0].bucket, "128x128");
  EXPECT_EQ(images[1].bucket, "320x320");
}

TEST(BlankImagesTest, OneSizeWhereThereIsOne) {
  PreprocessConfig config;
  config.mode = ResizeMode::kSquash;
  config.image_size = 224;
  ASSERT_EQ(BlankImages(config).size(), 1u);
  EXPECT_EQ(BlankImages(config)[0].bucket, "224x224");
  config.mode = ResizeMode::kFit;
  config.image_size = 48;
  config.aspect_ratios = {1};
  EXPECT_EQ(BlankImages(config).size(), 1u) << "none is smaller than a small one";
}

}  // namespace
}  // namespace sightline::model
