#include "base/retrieval_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/seed.h"

namespace sightline::base {
namespace {

using Ranks = std::vector<int64_t>;

TEST(RetrievalMetricsTest, KnownValuesOfTheRevisitedProtocol) {
  // Worked out by hand: (1 + 1 + 1/2 + 2/3 + 2/5 + 3/6) / 8.
  EXPECT_NEAR(TrapezoidalPrecision(Ranks{0, 2, 5}, 4), 0.5083333333333333, 1e-15);
  EXPECT_DOUBLE_EQ(RevisitedPrecisionAt(Ranks{0, 2, 5}, 1), 1.0);
  EXPECT_DOUBLE_EQ(RevisitedPrecisionAt(Ranks{0, 2, 5}, 5), 0.4);
  // The last relevant image stands sixth: six positions count, not ten.
  EXPECT_DOUBLE_EQ(RevisitedPrecisionAt(Ranks{0, 2, 5}, 10), 0.5);
  EXPECT_DOUBLE_EQ(TrapezoidalPrecision(Ranks{1}, 1), 0.25);
  EXPECT_NEAR(TrapezoidalPrecision(Ranks{3, 4}, 2), 0.225, 1e-15);
  EXPECT_NEAR(TrapezoidalPrecision(Ranks{0, 2}, 2), 0.7916666666666666, 1e-15);
}

TEST(RetrievalMetricsTest, KnownValuesOfMetricLearning) {
  // Relevance [1, 0, 1, 0] with R = 4, and [1, 0, 1] with R = 3.
  EXPECT_DOUBLE_EQ(PrecisionAt(Ranks{0, 2}, 4), 0.5);
  EXPECT_NEAR(AveragePrecisionAt(Ranks{0, 2}, 4, 4), 0.4166666666666667, 1e-15);
  EXPECT_NEAR(PrecisionAt(Ranks{0, 2}, 3), 2.0 / 3, 1e-15);
  EXPECT_NEAR(AveragePrecisionAt(Ranks{0, 2}, 3, 3), 0.5555555555555556, 1e-15);
}

TEST(RetrievalMetricsTest, WhatLiesBeyondTheCutDoesNotCount) {
  EXPECT_DOUBLE_EQ(AveragePrecisionAt(Ranks{0, 100}, 2, 100), 0.5);
  EXPECT_DOUBLE_EQ(AveragePrecisionAt(Ranks{0, 99}, 2, 100), (1 + 2.0 / 100) / 2);
  EXPECT_DOUBLE_EQ(RecallAt(Ranks{5}, 5), 0);
  EXPECT_DOUBLE_EQ(RecallAt(Ranks{4}, 5), 1);
}

TEST(RetrievalMetricsTest, NothingFoundIsZero) {
  const Ranks none;
  EXPECT_EQ(TrapezoidalPrecision(none, 3), 0);
  EXPECT_EQ(AveragePrecision(none, 3), 0);
  EXPECT_EQ(AveragePrecisionAt(none, 3, 10), 0);
  EXPECT_EQ(RevisitedPrecisionAt(none, 10), 0);
  EXPECT_EQ(PrecisionAt(none, 10), 0);
  EXPECT_EQ(RecallAt(none, 10), 0);
}

// The same measures from their definitions over the ranking's positions, one after the other.
struct Walked {
  double trapezoid = 0, plain = 0, cut = 0, revisited = 0, precision = 0, recall = 0;
};

Walked Walk(const std::vector<bool>& relevant, int64_t positives, int64_t k) {
  Walked walked;
  double previous_precision = 1;
  int64_t found = 0;
  int64_t last = -1;
  for (size_t i = 0; i < relevant.size(); ++i) {
    if (relevant[i]) last = static_cast<int64_t>(i);
  }
  const int64_t positions = std::min(k, last + 1);
  for (size_t i = 0; i < relevant.size(); ++i) {
    const auto at = static_cast<int64_t>(i) + 1;
    found += relevant[i] ? 1 : 0;
    const double precision = static_cast<double>(found) / static_cast<double>(at);
    if (relevant[i]) {
      walked.trapezoid += (previous_precision + precision) / 2 / static_cast<double>(positives);
      walked.plain += precision / static_cast<double>(positives);
      if (at <= k) {
        walked.cut += precision / static_cast<double>(std::min(positives, k));
        walked.precision += 1 / static_cast<double>(k);
        walked.recall = 1;
      }
      if (at <= positions) walked.revisited += 1 / static_cast<double>(positions);
    }
    previous_precision = precision;
  }
  return walked;
}

TEST(RetrievalMetricsTest, AgreeWithAWalkOverRandomRankings) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 500; ++round) {
    const size_t length = random() % 40;
    const unsigned density = 1 + random() % 8;
    std::vector<bool> relevant(length);
    Ranks ranks;
    for (size_t i = 0; i < length; ++i) {
      relevant[i] = random() % density == 0;
      if (relevant[i]) ranks.push_back(static_cast<int64_t>(i));
    }
    const int64_t positives = std::max<int64_t>(1, static_cast<int64_t>(ranks.size() + random() % 5));
    const int64_t k = 1 + static_cast<int64_t>(random() % 50);
    const Walked walked = Walk(relevant, positives, k);
    EXPECT_NEAR(TrapezoidalPrecision(ranks, positives), walked.trapezoid, 1e-12);
    EXPECT_NEAR(AveragePrecision(ranks, positives), walked.plain, 1e-12);
    EXPECT_NEAR(AveragePrecisionAt(ranks, positives, k), walked.cut, 1e-12);
    EXPECT_NEAR(RevisitedPrecisionAt(ranks, k), walked.revisited, 1e-12);
    EXPECT_NEAR(PrecisionAt(ranks, k), walked.precision, 1e-12);
    EXPECT_EQ(RecallAt(ranks, k), walked.recall);
  }
}

}  // namespace
}  // namespace sightline::base
