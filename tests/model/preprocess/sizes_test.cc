#include "model/preprocess/sizes.h"

#include <utility>
#include <vector>

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

TEST(PlaneSizesTest, SquashAndCentreCropGiveEveryImageOneSize) {
  for (const ResizeMode mode : {ResizeMode::kSquash, ResizeMode::kCentreCrop}) {
    const PreprocessConfig config{
        .mode = mode, .short_side = 256, .image_size = 224, .size_multiple = 14, .scales = {1, 1.4142}};
    for (const auto& [width, height] : {std::pair(1, 1), std::pair(4000, 3000), std::pair(10, 90'000)}) {
      EXPECT_EQ(PlaneSizes(config, width, height), (std::vector<PlaneSize>{{224, 224}, {322, 322}}));
    }
  }
}

TEST(CutForTest, PlacesTheMiddleAsTorchvisionDoes) {
  const PreprocessConfig config{.mode = ResizeMode::kCentreCrop, .short_side = 248, .image_size = 224};
  const auto cut = [&](int width, int height) {
    const CentreCut one = CutFor(config, {224, 224}, width, height);
    return std::vector<int>{one.width, one.height, one.x, one.y};
  };
  // int(248 * 500 / 375) = 330; (330 - 224) / 2 = 53
  EXPECT_EQ(cut(500, 375), (std::vector<int>{330, 248, 53, 12}));
  EXPECT_EQ(cut(375, 500), (std::vector<int>{248, 330, 12, 53}));
  EXPECT_EQ(cut(100, 100), (std::vector<int>{248, 248, 12, 12}));
  // Odd margins: 107 / 2 = 53.5 and 109 / 2 = 54.5 both go to 54, as Python's round does.
  EXPECT_EQ(cut(331, 248), (std::vector<int>{331, 248, 54, 12}));
  EXPECT_EQ(cut(333, 248), (std::vector<int>{333, 248, 54, 12}));
  // At another scale the short side follows.
  const CentreCut twice = CutFor(config, {448, 448}, 500, 375);
  EXPECT_EQ(twice.height, 496);
}

TEST(WantedSideTest, LeavesTheShortSideEnoughPixels) {
  PreprocessConfig config{.image_size = 200, .scales = {0.5, 2}};
  EXPECT_EQ(WantedSide(config, 4000, 1000), 400);
  config.mode = ResizeMode::kSquash;
  EXPECT_EQ(WantedSide(config, 4000, 1000), 1600);
  EXPECT_EQ(WantedSide(config, 1000, 4000), 1600);
  config.mode = ResizeMode::kCentreCrop;
  config.short_side = 250;
  EXPECT_EQ(WantedSide(config, 4000, 1000), 2000);
  EXPECT_GT(WantedSide(config, 2'000'000'000, 1), 0);
}

}  // namespace
}  // namespace sightline::model
