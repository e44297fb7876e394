#include "model/train/data/gps_pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/support/seed.h"

namespace sightline::train {
namespace {

using ::testing::ElementsAre;

TEST(GpsPairsTest, Distances) {
  // A degree of a great circle: 2 pi R / 360.
  EXPECT_NEAR(Metres({0, 0}, {0, 1}), 111'195.08, 0.01);
  EXPECT_NEAR(Metres({10, 20}, {11, 20}), 111'195.08, 0.01);
  EXPECT_NEAR(Metres({60, 0}, {60, 0.001}), 55.5975, 1e-3);  // cos 60 is a half
  EXPECT_NEAR(Metres({0, 179.9999}, {0, -179.9999}), 22.239, 1e-3);
  EXPECT_NEAR(Metres({90, 0}, {-90, 77}), 20'015'114, 1);
  EXPECT_EQ(Metres({12, 34}, {12, 34}), 0);
}

Dataset Places(int count, int labels, double latitude, double longitude, double spread, double wide,
               std::mt19937& random) {
  Dataset dataset;
  for (int label = 0; label < labels; ++label) dataset.classes.push_back(absl::StrCat("city ", label));
  for (int i = 0; i < count; ++i) {
    const auto draw = [&](double range) { return (static_cast<double>(random()) / 4294967296.0 - 0.5) * range; };
    double east = longitude + draw(wide);
    if (east > 180) east -= 360;
    dataset.photos.push_back({.label = static_cast<int64_t>(random() % static_cast<unsigned>(labels)),
                              .position = Position{std::clamp(latitude + draw(spread), -90.0, 90.0), east},
                              .query = random() % 3 == 0});
  }
  return dataset;
}

// Against every pair looked at, at the equator, in the north, at the antimeridian and at a pole.
TEST(GpsPairsTest, AreThoseOfBruteForce) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  struct Case {
    double latitude, longitude, spread, wide;
  };
  for (const auto& [latitude, longitude, spread, wide] : std::vector<Case>{{0, 0, 0.002, 0.002},
                                                                           {55.7, 12.5, 0.002, 0.002},
                                                                           {-17.8, 180, 0.002, 0.002},
                                                                           {89.9999, 0, 0.0004, 360},
                                                                           {89.95, 0, 0.1, 1},
                                                                           {-33, 151, 0, 0},
                                                                           {10, 10, 20, 20}}) {
    const Dataset dataset = Places(400, 2, latitude, longitude, spread, wide, random);
    for (const double metres : {0.0, 10.0, 25.0, 100.0}) {
      SCOPED_TRACE(absl::StrCat(latitude, " ", metres));
      std::vector<std::pair<int64_t, std::vector<int64_t>>> expected, found;
      for (size_t q = 0; q < dataset.photos.size(); ++q) {
        std::vector<int64_t> positives;
        for (size_t i = 0; i < dataset.photos.size(); ++i) {
          const Photo &a = dataset.photos[q], &b = dataset.photos[i];
          if (a.query && !b.query && a.label == b.label && Metres(*a.position, *b.position) <= metres) {
            positives.push_back(static_cast<int64_t>(i));
          }
        }
        if (!positives.empty()) expected.emplace_back(static_cast<int64_t>(q), positives);
      }
      const auto pairs = FindGpsPairs(dataset, metres, std::max(metres, 25.0));
      if (expected.empty()) {
        EXPECT_EQ(base::GetErrorInfo(pairs.status()).reason, "NO_GPS_PAIRS");
        continue;
      }
      ASSERT_TRUE(pairs.ok()) << pairs.status();
      for (const GpsPairs::Query& query : pairs->queries) found.emplace_back(query.photo, query.positives);
      EXPECT_EQ(found, expected);
    }
  }
}

TEST(GpsPairsTest, NegativesAreOfTheSameLabelBeyondTheDistance) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const Dataset dataset = Places(300, 2, 55.7, 12.5, 0.001, 0.001, random);  // about 60 m by 110 m
  const auto pairs = FindGpsPairs(dataset, 10, 25);
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  scene::Random draws(seed);
  std::set<int64_t> seen;
  for (const GpsPairs::Query& query : pairs->queries) {
    const std::vector<int64_t> negatives = DrawNegatives(dataset, *pairs, query, 5, draws);
    EXPECT_EQ(negatives.size(), 5u);
    EXPECT_EQ(std::set<int64_t>(negatives.begin(), negatives.end()).size(), 5u);
    for (const int64_t negative : negatives) {
      const Photo& a = dataset.photos[static_cast<size_t>(query.photo)];
      const Photo& b = dataset.photos[static_cast<size_t>(negative)];
      EXPECT_FALSE(b.query);
      EXPECT_EQ(a.label, b.label);
      EXPECT_GT(Metres(*a.position, *b.position), 25);
      EXPECT_TRUE(IsGpsNegative(dataset, *pairs, query.photo, negative));
      seen.insert(negative);
    }
    for (const int64_t positive : query.positives) {
      EXPECT_FALSE(IsGpsNegative(dataset, *pairs, query.photo, positive));
    }
  }
  EXPECT_GT(seen.size(), 50u);
  // As many as there are, where more are asked for.
  const GpsPairs::Query& query = pairs->queries.front();
  int64_t all = 0;
  for (size_t i = 0; i < dataset.photos.size(); ++i) {
    all += IsGpsNegative(dataset, *pairs, query.photo, static_cast<int64_t>(i)) ? 1 : 0;
  }
  EXPECT_EQ(static_cast<int64_t>(DrawNegatives(dataset, *pairs, query, 10'000, draws).size()), all);
  EXPECT_TRUE(DrawNegatives(dataset, *pairs, query, 0, draws).empty());
}

TEST(GpsPairsTest, WhatIsWrongIsNamed) {
  Dataset dataset;
  dataset.classes = {"oslo"};
  dataset.photos.push_back({.path = "a.jpg", .position = Position{1, 2}, .query = true});
  dataset.photos.push_back({.path = "b.jpg"});
  EXPECT_EQ(base::GetErrorInfo(FindGpsPairs(dataset, 10, 25).status()).reason, "POSITION_MISSING");
  dataset.photos[1].position = Position{1, 2};
  EXPECT_THAT(FindGpsPairs(dataset, 0, 0)->queries[0].positives, ElementsAre(1));
  EXPECT_EQ(base::GetErrorInfo(FindGpsPairs(dataset, 30, 25).status()).reason, "DISTANCES_INVALID");
  EXPECT_EQ(base::GetErrorInfo(FindGpsPairs({}, 10, 25).status()).reason, "NO_GPS_PAIRS");
}

}  // namespace
}  // namespace sightline::train
