#include "model/train/data/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/encode.h"
#include "tests/model/image/make_image.h"
#include "tests/model/train/data/layout_files.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace sightline::train {
namespace {

// METHODS 2.8, preset S2.
SamplerConfig GroupSizes(int batch) {
  SamplerConfig config;
  config.batch = batch;
  config.edges = {0.67, 0.77, 1.33, 1.5};
  config.sizes = {{512, 352}, {512, 384}, {448, 448}, {384, 512}, {352, 512}};
  return config;
}

Dataset Photos(const std::vector<int>& per_class) {
  Dataset dataset;
  for (size_t label = 0; label < per_class.size(); ++label) {
    dataset.classes.push_back(absl::StrCat(label));
    for (int i = 0; i < per_class[label]; ++i) dataset.photos.push_back({.label = static_cast<int64_t>(label)});
  }
  return dataset;
}

std::map<int64_t, int> Counts(const std::vector<BatchPlan>& plan) {
  std::map<int64_t, int> counts;
  for (const BatchPlan& batch : plan) {
    for (const int64_t photo : batch.photos) ++counts[photo];
  }
  return counts;
}

auto Key(const std::vector<BatchPlan>& plan) {
  std::vector<std::tuple<std::vector<int64_t>, int, int>> key;
  for (const BatchPlan& batch : plan) key.emplace_back(batch.photos, batch.height, batch.width);
  return key;
}

TEST(SamplerTest, EveryPhotographOnceAndRemaindersDropped) {
  const Dataset dataset = Photos({10, 7, 6});
  SamplerConfig config;
  config.batch = 5;
  const auto plan = PlanEpoch(dataset, {}, config, 1, 0);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->size(), 4u);
  const auto counts = Counts(*plan);
  EXPECT_EQ(counts.size(), 20u);
  for (const auto& [photo, count] : counts) EXPECT_EQ(count, 1) << photo;
}

TEST(SamplerTest, AFunctionOfSeedAndEpoch) {
  const Dataset dataset = Photos({40, 40});
  for (const int per_class : {0, 2}) {
    SamplerConfig config;
    config.batch = 4;
    config.per_class = per_class;
    const auto plan = Key(*PlanEpoch(dataset, {}, config, 1, 3));
    EXPECT_EQ(Key(*PlanEpoch(dataset, {}, config, 1, 3)), plan);
    EXPECT_NE(Key(*PlanEpoch(dataset, {}, config, 1, 4)), plan);
    EXPECT_NE(Key(*PlanEpoch(dataset, {}, config, 2, 3)), plan);
  }
}

// numpy.digitize([0.5, 0.67, 0.7699, 0.77, 1, 1.33, 1.4999, 1.5, 9], [0.67, 0.77, 1.33, 1.5])
TEST(SamplerTest, GroupsAreThoseOfDigitize) {
  const std::vector<double> aspects = {0.5, 0.67, 0.7699, 0.77, 1, 1.33, 1.4999, 1.5, 9};
  const std::vector<int> digitized = {0, 1, 1, 2, 2, 3, 3, 4, 4};
  const SamplerConfig config = GroupSizes(1);
  const auto plan = PlanEpoch(Photos({9}), aspects, config, 1, 0);
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->size(), 9u);
  for (const BatchPlan& batch : *plan) {
    const auto& size = config.sizes[static_cast<size_t>(digitized[static_cast<size_t>(batch.photos[0])])];
    EXPECT_EQ(batch.width, size.width);
    EXPECT_EQ(batch.height, size.height);
  }
}

TEST(SamplerTest, ABatchIsOfOneGroup) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const Dataset dataset = Photos(std::vector<int>(20, 25));
  std::vector<double> aspects;
  for (size_t i = 0; i < dataset.photos.size(); ++i) aspects.push_back(std::exp2((random() % 2001 - 1000.0) / 1000));
  for (const int per_class : {0, 3}) {
    SamplerConfig config = GroupSizes(6);
    config.per_class = per_class;
    const auto plan = PlanEpoch(dataset, aspects, config, seed, 0);
    ASSERT_TRUE(plan.ok());
    std::set<int> widths;
    for (const BatchPlan& batch : *plan) {
      widths.insert(batch.width);
      ASSERT_EQ(batch.photos.size(), 6u);
      for (const int64_t photo : batch.photos) {
        const double aspect = aspects[static_cast<size_t>(photo)];
        // A wide photograph becomes a wide tensor.
        if (aspect < 0.77) {
          EXPECT_GT(batch.width, batch.height);
        }
        if (aspect >= 1.33) {
          EXPECT_LT(batch.width, batch.height);
        }
      }
    }
    EXPECT_EQ(widths.size(), 5u - 1);  // two groups are 512 wide
    // Batches of the groups are mixed, not one group after another.
    int changes = 0;
    for (size_t i = 1; i < plan->size(); ++i) changes += (*plan)[i].height != (*plan)[i - 1].height ? 1 : 0;
    EXPECT_GT(changes, 10);
  }
}

TEST(SamplerTest, SeveralOfEveryClass) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  // Among them classes with one photograph, and one with half of all.
  const Dataset dataset = Photos({1, 1, 2, 3, 4, 5, 9, 12, 16, 60});
  SamplerConfig config;
  config.batch = 12;
  config.per_class = 4;
  const auto plan = PlanEpoch(dataset, {}, config, seed, 0);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_GE(plan->size(), 3u);
  for (const BatchPlan& batch : *plan) {
    std::map<int64_t, int> of_class;
    for (const int64_t photo : batch.photos) ++of_class[dataset.photos[static_cast<size_t>(photo)].label];
    EXPECT_EQ(of_class.size(), 3u);
    for (const auto& [label, count] : of_class) EXPECT_EQ(count, 4) << label;
  }
  // Photographs of classes that can fill a set are not repeated.
  for (const auto& [photo, count] : Counts(*plan)) {
    if (dataset.photos[static_cast<size_t>(photo)].label >= 4) {
      EXPECT_EQ(count, 1);
    }
  }
}

TEST(SamplerTest, ManyClassesOfEqualSizeAreUsedUp) {
  const Dataset dataset = Photos(std::vector<int>(50, 8));
  SamplerConfig config;
  config.batch = 20;
  config.per_class = 4;
  const auto plan = PlanEpoch(dataset, {}, config, 5, 0);
  ASSERT_TRUE(plan.ok());
  // 100 sets, five in a batch; the last ones may find no batch without their class.
  EXPECT_GE(plan->size(), 19u);
}

TEST(SamplerTest, WeightsDecideHowOften) {
  Dataset dataset = Photos({1000});
  for (size_t i = 0; i < 100; ++i) dataset.photos[i].weight = 10;
  dataset.photos[999].weight = 0;
  SamplerConfig config;
  config.batch = 10;
  const auto plan = PlanEpoch(dataset, {}, config, 1, 0);
  ASSERT_TRUE(plan.ok());
  int heavy = 0, all = 0;
  for (const auto& [photo, count] : Counts(*plan)) {
    EXPECT_NE(photo, 999);
    // 1000 draws, weights of 1899 in all: 5.27 of a heavy one, 0.53 of another.
    if (photo < 100) {
      EXPECT_TRUE(count == 5 || count == 6) << count;
    }
    if (photo >= 100) {
      EXPECT_EQ(count, 1);
    }
    heavy += photo < 100 ? count : 0;
    all += count;
  }
  EXPECT_EQ(all, 1000);
  EXPECT_NEAR(heavy, 1000 * 1000.0 / 1899, 30);
}

TEST(SamplerTest, MoreOrFewerBatchesThanAnEpochHas) {
  const Dataset dataset = Photos({23});
  SamplerConfig config;
  config.batch = 5;
  config.batches = 10;
  const auto longer = PlanEpoch(dataset, {}, config, 1, 0);
  ASSERT_TRUE(longer.ok());
  EXPECT_EQ(longer->size(), 10u);
  for (const auto& [photo, count] : Counts(*longer)) EXPECT_LE(count, 3);
  config.batches = 2;
  EXPECT_EQ(PlanEpoch(dataset, {}, config, 1, 0)->size(), 2u);
}

TEST(SamplerTest, WhatFillsNoBatchIsAnError) {
  const auto reason = [](const Dataset& dataset, const std::vector<double>& aspects, const SamplerConfig& config) {
    return base::GetErrorInfo(PlanEpoch(dataset, aspects, config, 1, 0).status()).reason;
  };
  SamplerConfig config;
  config.batch = 5;
  EXPECT_EQ(reason(Photos({}), {}, config), "BATCH_NEVER_FULL");
  EXPECT_EQ(reason(Photos({4}), {}, config), "BATCH_NEVER_FULL");
  config.batch = 6;
  config.per_class = 2;
  EXPECT_EQ(reason(Photos({50, 50}), {}, config), "BATCH_NEVER_FULL");  // three classes are needed
  EXPECT_EQ(reason(Photos({1, 1, 1}), {}, config), "UNKNOWN");          // each is repeated
  EXPECT_EQ(reason(Photos({9}), {1, 2}, GroupSizes(2)), "SAMPLER_INVALID");
  config.per_class = 4;
  EXPECT_EQ(reason(Photos({9}), {}, config), "SAMPLER_INVALID");
  Dataset weightless = Photos({9});
  for (Photo& photo : weightless.photos) photo.weight = 0;
  EXPECT_EQ(reason(weightless, {}, SamplerConfig()), "WEIGHTS_INVALID");
  weightless.photos[0].weight = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(reason(weightless, {}, SamplerConfig()), "WEIGHTS_INVALID");
}

TEST(SamplerTest, AspectRatiosOfFiles) {
  const ::sightline::testing::TempFolder folder;
  WriteBelow(folder.path(), "wide.jpg", image::EncodeJpeg(image::Waves(80, 20), 90).value());
  WriteBelow(folder.path(), "broken.jpg", "no picture");
  Dataset dataset;
  dataset.photos.push_back({.path = folder.Path("wide.jpg")});
  dataset.photos.push_back({.path = folder.Path("broken.jpg")});
  dataset.photos.push_back({.path = folder.Path("absent.jpg")});
  dataset.photos.push_back(
      {.path = folder.Path("wide.jpg"), .box = image::CropBox{0, 0, 10, 20, image::CropBox::Unit::kPixel}});
  for (const int threads : {0, 1, 3, 9}) {
    EXPECT_EQ(AspectRatios(dataset, threads), (std::vector<double>{0.25, 1, 1, 2})) << threads;
  }
  EXPECT_TRUE(AspectRatios({}, 4).empty());
}

}  // namespace
}  // namespace sightline::train
