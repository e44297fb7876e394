#include "model/train/data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "model/image/encode.h"
#include "model/image/resize.h"
#include "tests/model/image/make_image.h"
#include "tests/model/train/data/layout_files.h"
#include "tests/support/temp_folder.h"

namespace sightline::train {
namespace {

class LoaderTest : public ::testing::Test {
 protected:
  // `count` photographs of different sizes, three of a class.
  void AddPhotos(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string name = absl::StrCat(dataset_.photos.size(), ".jpg");
      WriteBelow(folder_.path(), name, image::EncodeJpeg(image::Noise(40 + 3 * i, 60 - i, 7 + i), 90).value());
      dataset_.photos.push_back({.path = folder_.Path(name), .label = i / 3});
    }
  }
  void AddBroken(absl::string_view name, absl::string_view content) {
    WriteBelow(folder_.path(), name, content);
    dataset_.photos.push_back({.path = folder_.Path(std::string(name)), .label = 99});
  }

  std::vector<BatchPlan> Plan(int batch) const {
    std::vector<BatchPlan> plan;
    for (size_t i = 0; i < dataset_.photos.size(); ++i) {
      if (i % static_cast<size_t>(batch) == 0) plan.push_back({{}, 24 + 8 * static_cast<int>(plan.size() % 2), 32});
      plan.back().photos.push_back(static_cast<int64_t>(i));
    }
    return plan;
  }

  std::vector<LoadedBatch> LoadAll(int batch, const LoaderOptions& options) const {
    Loader loader(dataset_, Plan(batch), options);
    std::vector<LoadedBatch> batches;
    while (true) {
      auto next = loader.Next();
      EXPECT_TRUE(next.ok()) << next.status();
      if (!next.ok() || !next->has_value()) break;
      batches.push_back(**std::move(next));
    }
    EXPECT_FALSE(loader.Next().value().has_value());
    return batches;
  }

  const ::sightline::testing::TempFolder folder_;
  Dataset dataset_;
};

AugmentConfig Everything() {
  AugmentConfig config;
  config.crop_area = 0.4;
  config.crop_stretch = 1.3;
  config.perspective = 0.1;
  config.rotate = 15;
  config.flip = 0.5;
  config.brightness = config.contrast = config.saturation = config.gamma = 0.3;
  config.hue = 0.05;
  config.grey = config.jpeg = config.erase = 0.3;
  config.blur = 1;
  config.noise = 5;
  return config;
}

void ExpectSame(const std::vector<LoadedBatch>& a, const std::vector<LoadedBatch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].height, b[i].height);
    EXPECT_EQ(a[i].width, b[i].width);
    EXPECT_EQ(a[i].labels, b[i].labels);
    EXPECT_EQ(a[i].unreadable, b[i].unreadable);
    EXPECT_TRUE(a[i].rgb == b[i].rgb) << "batch " << i;
  }
}

TEST_F(LoaderTest, LabelsOfThePlanComeBeforeTheDatasetsAndGoWithTheirPhotograph) {
  AddPhotos(2);
  AddBroken("broken.jpg", "not a photograph");
  const BatchPlan plan{.photos = {1, 2, 0}, .height = 24, .width = 32, .labels = {70, 71, 72}};
  Loader loader(dataset_, {plan}, {});
  const auto batch = loader.Next();
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_THAT((*batch)->labels, ::testing::ElementsAre(70, 72, 72));  // the third stands in for the second
}

TEST_F(LoaderTest, WithoutAugmentationItIsTheResizedPhotograph) {
  AddPhotos(5);
  const auto batches = LoadAll(2, {});
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[2].labels.size(), 1u);
  for (size_t i = 0; i < 5; ++i) {
    const LoadedBatch& batch = batches[i / 2];
    EXPECT_EQ(batch.height, 24 + 8 * static_cast<int>(i / 2 % 2));
    EXPECT_EQ(batch.labels[i % 2], static_cast<int64_t>(i / 3));
    const std::string bytes =
        image::EncodeJpeg(image::Noise(40 + 3 * static_cast<int>(i), 60 - static_cast<int>(i), 7 + i), 90).value();
    const image::Image whole = image::Decode(bytes, {}, {}).value();
    const image::Image expected =
        image::ResizeBicubic(whole, {0, 0, whole.width, whole.height}, batch.width, batch.height);
    const auto begin = batch.rgb.begin() + static_cast<std::ptrdiff_t>(i % 2 * expected.rgb.size());
    EXPECT_TRUE(std::equal(expected.rgb.begin(), expected.rgb.end(), begin)) << i;
  }
}

TEST_F(LoaderTest, TheSameOnAnyNumberOfThreads) {
  AddPhotos(11);
  AddBroken("truncated.jpg", image::EncodeJpeg(image::Noise(50, 50, 1), 90).value().substr(0, 300));
  AddPhotos(3);
  const auto one = LoadAll(4, {.augment = Everything(), .seed = 5, .epoch = 2, .threads = 1, .ahead = 1});
  EXPECT_EQ(one[2].unreadable, 1);
  for (const int threads : {2, 5}) {
    SCOPED_TRACE(threads);
    ExpectSame(LoadAll(4, {.augment = Everything(), .seed = 5, .epoch = 2, .threads = threads, .ahead = 3}), one);
  }
}

TEST_F(LoaderTest, SeedEpochAndPlaceDecide) {
  AddPhotos(4);
  const auto pixels = [&](uint64_t seed, int64_t epoch) {
    return LoadAll(4, {.augment = Everything(), .seed = seed, .epoch = epoch})[0].rgb;
  };
  EXPECT_EQ(pixels(1, 1), pixels(1, 1));
  EXPECT_NE(pixels(1, 1), pixels(1, 2));
  EXPECT_NE(pixels(1, 1), pixels(2, 1));
}

TEST_F(LoaderTest, AResumedEpochGoesOnWithTheSameBatches) {
  AddPhotos(12);
  const auto whole = LoadAll(2, {.augment = Everything(), .threads = 2});
  ASSERT_EQ(whole.size(), 6u);
  for (const int64_t first : {1, 4, 6}) {
    ExpectSame(LoadAll(2, {.augment = Everything(), .first_batch = first, .threads = 2}),
               {whole.begin() + first, whole.end()});
  }
  EXPECT_TRUE(LoadAll(2, {.first_batch = 100}).empty());
}

TEST_F(LoaderTest, UnreadablePhotographsAreReplacedByTheNext) {
  AddPhotos(1);
  AddBroken("empty.jpg", "");
  AddBroken("text.jpg", "no picture");
  dataset_.photos.push_back({.path = folder_.Path("absent.jpg"), .label = 98});
  AddPhotos(1);
  const auto batches = LoadAll(5, {});
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].unreadable, 3);
  EXPECT_EQ(batches[0].labels, (std::vector<int64_t>{0, 0, 0, 0, 0}));
  // Places 1 to 3 show photograph 4, for it is the next one.
  const size_t size = batches[0].rgb.size() / 5;
  const auto at = [&](size_t place) { return batches[0].rgb.begin() + static_cast<std::ptrdiff_t>(place * size); };
  for (const size_t place : {1u, 2u, 3u}) EXPECT_TRUE(std::equal(at(4), batches[0].rgb.end(), at(place))) << place;
}

TEST_F(LoaderTest, ABatchWithoutAnyIsAnErrorAndTheNextGoesOn) {
  AddBroken("a.jpg", "x");
  AddBroken("b.jpg", "y");
  AddPhotos(2);
  Loader loader(dataset_, Plan(2), {.threads = 2});
  const auto broken = loader.Next();
  EXPECT_EQ(base::GetErrorInfo(broken.status()).reason, "BATCH_UNREADABLE");
  EXPECT_THAT(broken.status().message(), ::testing::HasSubstr("none of the 2 photographs of batch 0"));
  EXPECT_TRUE(loader.Next().value().has_value());
  EXPECT_FALSE(loader.Next().value().has_value());
}

TEST_F(LoaderTest, ABoxIsCutOut) {
  WriteBelow(folder_.path(), "quadrants.jpg", image::EncodeJpeg(image::Quadrants(256, 256), 100).value());
  dataset_.photos.push_back(
      {.path = folder_.Path("quadrants.jpg"), .box = image::CropBox{4, 140, 120, 252, image::CropBox::Unit::kPixel}});
  const auto batches = LoadAll(1, {});
  ASSERT_EQ(batches.size(), 1u);
  for (size_t i = 0; i < batches[0].rgb.size(); i += 3) {  // blue is below on the left
    EXPECT_LT(batches[0].rgb[i], 30);
    EXPECT_GT(batches[0].rgb[i + 2], 225);
  }
}

TEST_F(LoaderTest, ABoxOutsideIsUnreadable) {
  AddPhotos(2);
  dataset_.photos[0].box = image::CropBox{500, 500, 600, 600, image::CropBox::Unit::kPixel};
  EXPECT_EQ(LoadAll(2, {})[0].unreadable, 1);
}

TEST_F(LoaderTest, ItMayBeLeftAtAnyTime) {
  AddPhotos(12);
  for (const int threads : {1, 2, 5}) {
    for (int taken = 0; taken < 4; ++taken) {
      Loader loader(dataset_, Plan(2), {.augment = Everything(), .threads = threads, .ahead = 2});
      for (int i = 0; i < taken; ++i) EXPECT_TRUE(loader.Next().value().has_value());
    }
  }
}

TEST_F(LoaderTest, EmptyPlans) {
  Loader nothing(dataset_, {}, {.threads = 3});
  EXPECT_FALSE(nothing.Next().value().has_value());
  Loader hollow(dataset_, {BatchPlan{{}, 8, 8}}, {.threads = 3, .ahead = 0});
  EXPECT_TRUE(hollow.Next().value()->labels.empty());
  EXPECT_FALSE(hollow.Next().value().has_value());
}

}  // namespace
}  // namespace sightline::train
