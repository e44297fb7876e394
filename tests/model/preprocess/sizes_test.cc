#include "model/preprocess/sizes.h"

#include "gtest/gtest.h"

namespace sightline::model {
namespace {

TEST(PlaneSizesTest, KeepsTheAspectAndRoundsToMultiples) {
  const PreprocessConfig config{.image_size = 1024, .size_multiple = 16};
  EXPECT_EQ(PlaneSizes(config, 4000, 3000), (std::vector<PlaneSize>{{1024, 768}}));
  EXPECT_EQ(PlaneSizes(config, 3000, 4000), (std::vector<PlaneSize>{{768, 1024}}));
  EXPECT_EQ(PlaneSizes(config, 100'000, 1), (std::vector<PlaneSize>{{1024, 16}}));
}

TEST(PlaneSizesTest, EnlargesOnlyWhenTold) {
  PreprocessConfig config{.image_size = 224, .size_multiple = 16};
  EXPECT_EQ(PlaneSizes(config, 100, 50), (std::vector<PlaneSize>{{96, 48}}));
  EXPECT_EQ(PlaneSizes(config, 1, 1), (std::vector<PlaneSize>{{16, 16}}));
  config.enlarge = true;
  EXPECT_EQ(PlaneSizes(config, 100, 50), (std::vector<PlaneSize>{{224, 112}}));
}

TEST(PlaneSizesTest, TakesTheClosestBucket) {
  const PreprocessConfig config{.image_size = 320, .size_multiple = 16, .enlarge = true, .aspect_ratios = {0.5, 1, 2}};
  EXPECT_EQ(PlaneSizes(config, 130, 100), (std::vector<PlaneSize>{{320, 320}}));
  EXPECT_EQ(PlaneSizes(config, 150, 100), (std::vector<PlaneSize>{{320, 160}}));
  EXPECT_EQ(PlaneSizes(config, 100, 900), (std::vector<PlaneSize>{{160, 320}}));
}

TEST(PlaneSizesTest, OneSizePerScale) {
  const PreprocessConfig config{.image_size = 224, .size_multiple = 16, .enlarge = true, .scales = {0.7071, 1, 1.4142}};
  const std::vector<PlaneSize> sizes = PlaneSizes(config, 10, 10);
  EXPECT_EQ(sizes, (std::vector<PlaneSize>{{160, 160}, {224, 224}, {320, 320}}));
  EXPECT_EQ(BucketName(sizes), "160x160,224x224,320x320");
  EXPECT_EQ(TokenScale(config), 1u);
}

}  // namespace
}  // namespace sightline::model
