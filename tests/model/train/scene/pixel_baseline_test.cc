#include "model/train/scene/pixel_baseline.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "model/train/scene/dataset.h"
#include "model/train/scene/labels.h"
#include "tests/support/temp_folder.h"

namespace sightline::scene {
namespace {

// The samples of the quick start must be too hard for pixels and not a lottery: chance is 1 of 48.
TEST(PixelBaselineTest, IsAboveChanceAndBelowOneHalf) {
  const ::sightline::testing::TempFolder folder;
  const absl::StatusOr<SceneOutcome> outcome = GenerateScenes({.directory = folder.Path("s"), .side = 128});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const absl::StatusOr<BaselineResult> result = PixelBaseline(folder.Path("s"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->queries, 48);
  EXPECT_LT(result->fraction(), 0.5) << result->first << " of " << result->queries;
  EXPECT_GT(result->fraction(), 0.1) << result->first << " of " << result->queries;
}

TEST(PixelBaselineTest, FindsIdenticalPictures) {
  const ::sightline::testing::TempFolder folder;
  ASSERT_TRUE(GenerateScenes({.directory = folder.Path("s"), .instances = 4, .views = 2, .side = 32, .seed = 5}).ok());
  absl::StatusOr<std::vector<Label>> labels = ReadLabels(folder.Path("s"));
  ASSERT_TRUE(labels.ok()) << labels.status();
  for (Label& label : *labels) {
    if (label.split == Split::kQuery) label.path = (*labels)[2 * label.instance].path;
  }
  ASSERT_TRUE(base::WriteFileDurably(folder.Path("s/labels.csv"), FormatLabels(*labels)).ok());
  EXPECT_EQ(PixelBaseline(folder.Path("s"))->first, 4);
}

TEST(PixelBaselineTest, MissingFilesAreReported) {
  const ::sightline::testing::TempFolder folder;
  EXPECT_FALSE(PixelBaseline(folder.Path("absent")).ok());
  const Label label{"index/a.jpg", 0, 0, Split::kIndex};
  ASSERT_TRUE(base::WriteFileDurably(folder.Path("labels.csv"), FormatLabels({label})).ok());
  EXPECT_FALSE(PixelBaseline(folder.Path("")).ok());
}

}  // namespace
}  // namespace sightline::scene
