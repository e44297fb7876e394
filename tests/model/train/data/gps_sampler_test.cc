#include "model/train/data/gps_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/support/seed.h"

namespace sightline::train {
namespace {

using ::testing::HasSubstr;

// `count` photographs of two towns of about 330 m by 220 m, a third of them queries.
Dataset Towns(int count, unsigned seed) {
  std::mt19937 random(seed);
  const auto draw = [&](double range) { return static_cast<double>(random()) / 4294967296.0 * range; };
  Dataset dataset;
  dataset.classes = {"here", "there"};
  for (int i = 0; i < count; ++i) {
    const int town = static_cast<int>(random() % 2);
    dataset.photos.push_back({.label = town,
                              .position = Position{55.7 + draw(0.003), 12.5 + 5 * town + draw(0.0035)},
                              .query = random() % 3 == 0});
  }
  return dataset;
}

SamplerConfig Groups(int batch, int negatives) {
  SamplerConfig config;
  config.batch = batch;
  config.negatives = negatives;
  config.sizes = {{64, 48}};
  return config;
}

double Apart(const Dataset& dataset, int64_t a, int64_t b) {
  return Metres(*dataset.photos[static_cast<size_t>(a)].position, *dataset.photos[static_cast<size_t>(b)].position);
}

TEST(GpsSamplerTest, LabelsOfABatchAreRightAboutEveryPair) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  const Dataset dataset = Towns(900, seed);
  const GpsPairs pairs = FindGpsPairs(dataset, 10, 25).value();
  const auto plan = PlanGpsEpoch(dataset, pairs, Groups(20, 3), seed, 2);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_GT(plan->size(), 10u);
  for (const BatchPlan& batch : *plan) {
    ASSERT_EQ(batch.photos.size(), 20u);
    ASSERT_EQ(batch.labels.size(), 20u);
    EXPECT_EQ(batch.width, 64);
    EXPECT_EQ(batch.height, 48);
    std::map<int64_t, int> sizes;
    for (const int64_t label : batch.labels) ++sizes[label];
    EXPECT_EQ(std::count_if(sizes.begin(), sizes.end(), [](const auto& item) { return item.second == 2; }), 4);
    EXPECT_EQ(sizes.size(), 16u);
    for (size_t i = 0; i < 20; ++i) {
      for (size_t j = 0; j < i; ++j) {
        const double metres = Apart(dataset, batch.photos[i], batch.photos[j]);
        if (batch.labels[i] == batch.labels[j]) {
          EXPECT_LE(metres, 10);
        } else {
          EXPECT_GT(metres, 25);
        }
      }
    }
    for (size_t group = 0; group < 20; group += 5) {
      EXPECT_TRUE(dataset.photos[static_cast<size_t>(batch.photos[group])].query);
      EXPECT_EQ(batch.labels[group], batch.labels[group + 1]);
      for (size_t i = group + 1; i < group + 5; ++i) {
        const Photo& photo = dataset.photos[static_cast<size_t>(batch.photos[i])];
        EXPECT_FALSE(photo.query);
        EXPECT_EQ(photo.label, dataset.photos[static_cast<size_t>(batch.photos[group])].label);
      }
    }
  }
}

TEST(GpsSamplerTest, QueriesTakeTurnsAndHeavyOnesComeMoreOften) {
  Dataset dataset = Towns(900, 5);
  const GpsPairs pairs = FindGpsPairs(dataset, 10, 25).value();
  const auto count = [&](const std::vector<BatchPlan>& plan) {
    std::map<int64_t, int> counts;
    for (const BatchPlan& batch : plan) {
      for (size_t i = 0; i < batch.photos.size(); i += 4) ++counts[batch.photos[i]];
    }
    return counts;
  };
  const auto even = count(PlanGpsEpoch(dataset, pairs, Groups(16, 2), 1, 0).value());
  for (const auto& [query, times] : even) EXPECT_EQ(times, 1) << query;
  EXPECT_GT(even.size(), pairs.queries.size() * 9 / 10);

  dataset.photos[static_cast<size_t>(pairs.queries.front().photo)].weight = 20;
  const auto weighted = count(PlanGpsEpoch(dataset, pairs, Groups(16, 2), 1, 0).value());
  EXPECT_GE(weighted.at(pairs.queries.front().photo), 10);
}

TEST(GpsSamplerTest, IsAFunctionOfSeedAndEpochAndFillsTheBatchesAskedFor) {
  const Dataset dataset = Towns(300, 6);
  const GpsPairs pairs = FindGpsPairs(dataset, 10, 25).value();
  SamplerConfig config = Groups(10, 3);
  config.batches = 70;  // several passes
  const auto photos = [&](uint64_t seed, int64_t epoch) {
    std::vector<std::vector<int64_t>> all;
    const std::vector<BatchPlan> plan = PlanGpsEpoch(dataset, pairs, config, seed, epoch).value();
    for (const BatchPlan& batch : plan) all.push_back(batch.photos);
    return all;
  };
  EXPECT_EQ(photos(1, 0).size(), 70u);
  EXPECT_EQ(photos(1, 0), photos(1, 0));
  EXPECT_NE(photos(1, 0), photos(2, 0));
  EXPECT_NE(photos(1, 0), photos(1, 1));
}

TEST(GpsSamplerTest, WhatCannotBeIsNamed) {
  const Dataset dataset = Towns(200, 7);
  const GpsPairs pairs = FindGpsPairs(dataset, 10, 25).value();
  // A town has no room for so many places that are 25 m from each other.
  const auto crowded = PlanGpsEpoch(dataset, pairs, Groups(4000, 1998), 1, 0);
  EXPECT_EQ(base::GetErrorInfo(crowded.status()).reason, "BATCH_NEVER_FULL");
  EXPECT_THAT(std::string(crowded.status().message()), HasSubstr("batch of 4000 photographs"));
  EXPECT_EQ(base::GetErrorInfo(PlanGpsEpoch(dataset, pairs, Groups(7, 3), 1, 0).status()).reason, "SAMPLER_INVALID");
  SamplerConfig sizes = Groups(10, 3);
  sizes.sizes.resize(2);
  EXPECT_EQ(base::GetErrorInfo(PlanGpsEpoch(dataset, pairs, sizes, 1, 0).status()).reason, "SAMPLER_INVALID");
}

}  // namespace
}  // namespace sightline::train
