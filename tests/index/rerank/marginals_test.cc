// The weights of patches, against METHODS.md 3.2 written out.
#include "index/rerank/marginals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/index/rerank/patch_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index::rerank {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::Pointwise;

constexpr Marginals kAll[] = {Marginals::kUniform, Marginals::kCrossCorrelation, Marginals::kInverse,
                              Marginals::kMinus,   Marginals::kSoftmax,          Marginals::kImportance};

Vector Weights(Marginals marginals, const Vector& cosines, const std::vector<uint8_t>& mask = {},
               double temperature = 1, const std::vector<float>& importance = {}) {
  return PatchWeights(cosines, importance, mask, {.marginals = marginals, .temperature = temperature});
}

TEST(MarginalsTest, EveryModeByHand) {
  const Vector a = {0.5, -0.2, 0.25, 0};
  EXPECT_THAT(Weights(Marginals::kUniform, a), ElementsAre(0.25, 0.25, 0.25, 0.25));
  EXPECT_THAT(Weights(Marginals::kCrossCorrelation, a),
              Pointwise(DoubleNear(1e-12), {0.5 / 0.75001, 0.0, 0.25 / 0.75001, 0.0}));
  EXPECT_THAT(Weights(Marginals::kMinus, a),
              Pointwise(DoubleNear(1e-12), {0.5 / 3.25001, 1 / 3.25001, 0.75 / 3.25001, 1 / 3.25001}));
  const double inverse = std::exp(-5.0) + std::exp(-2.5) + 2 + 1e-5;
  EXPECT_THAT(
      Weights(Marginals::kInverse, a, {}, 0.1),
      Pointwise(DoubleNear(1e-12), {std::exp(-5.0) / inverse, 1 / inverse, std::exp(-2.5) / inverse, 1 / inverse}));
  const double softmax = (std::exp(1.0) + std::exp(-0.4) + std::exp(0.5) + 1) * 1.00001;
  EXPECT_THAT(Weights(Marginals::kSoftmax, a, {}, 0.5),
              Pointwise(DoubleNear(1e-12),
                        {std::exp(1.0) / softmax, std::exp(-0.4) / softmax, std::exp(0.5) / softmax, 1 / softmax}));
  EXPECT_THAT(Weights(Marginals::kImportance, a, {}, 1, {0.5, 0.25, 0.25, 0}), ElementsAre(0.5, 0.25, 0.25, 0));
}

TEST(MarginalsTest, AMaskLeavesTheOthersAsThoughTheMaskedWereNotThere) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const Marginals marginals : kAll) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      Vector cosines, kept_cosines;
      std::vector<float> importance, kept_importance;
      std::vector<uint8_t> mask;
      for (int i = 0; i < 30; ++i) {
        cosines.push_back(std::uniform_real_distribution<double>(-0.3, 1)(random));
        importance.push_back(std::uniform_real_distribution<float>(0, 1)(random));
        mask.push_back(random() % 3 == 0 ? 1 : 0);
        if (mask.back() == 0) continue;
        kept_cosines.push_back(cosines.back());
        kept_importance.push_back(importance.back());
      }
      const Vector weights = Weights(marginals, cosines, mask, 0.3, importance);
      const Vector expected = Weights(marginals, kept_cosines, {}, 0.3, kept_importance);
      Vector kept;
      for (size_t i = 0; i < weights.size(); ++i) {
        if (mask[i] != 0) {
          kept.push_back(weights[i]);
        } else {
          EXPECT_EQ(weights[i], 0);
        }
      }
      EXPECT_THAT(kept, Pointwise(DoubleNear(1e-15), expected));
    }
  }
}

TEST(MarginalsTest, NoWeightsAreUniform) {
  EXPECT_THAT(Weights(Marginals::kCrossCorrelation, {-0.5, -0.1}), ElementsAre(0.5, 0.5));
  EXPECT_THAT(Weights(Marginals::kCrossCorrelation, {0.5, -0.1, 0}, {0, 1, 1}), ElementsAre(0, 0.5, 0.5));
  EXPECT_THAT(Weights(Marginals::kMinus, {1, 1.0000001}), ElementsAre(0.5, 0.5));
  EXPECT_THAT(Weights(Marginals::kInverse, {0.9, 0.95}, {}, 0.001), ElementsAre(0.5, 0.5));
  EXPECT_THAT(Weights(Marginals::kImportance, {0, 0}, {}, 1, {0, 0}), ElementsAre(0.5, 0.5));
}

TEST(MarginalsTest, AllMaskedWeighsNothing) {
  for (const Marginals marginals : kAll) {
    EXPECT_THAT(Weights(marginals, {0.3, 0.5}, {0, 0}, 1, {0.5, 0.5}), ElementsAre(0, 0));
  }
}

TEST(MarginalsTest, ALowTemperatureDoesNotOverflow) {
  EXPECT_THAT(Weights(Marginals::kSoftmax, {1, 0.9, -1}, {}, 0.001),
              Pointwise(DoubleNear(1e-12), {1 / 1.00001, 0.0, 0.0}));
}

TEST(MarginalsTest, TheReferencesGuardShowsWhereAllWeightsAreSmall) {
  // exp(-10) each: the guard is a fifth of the sum.
  const Vector weights = Weights(Marginals::kInverse, {1, 1}, {}, 0.1);
  EXPECT_NEAR(SumOf(weights), 2 * std::exp(-10.0) / (2 * std::exp(-10.0) + 1e-5), 1e-12);
}

TEST(StrongestPatchesTest, TakesTheGreatestInTheOrderOfTheGrid) {
  const Vector weights = {0.1, 0.4, 0, 0.4, 0.3, 0.4, 0};
  EXPECT_THAT(StrongestPatches(weights, 0), ElementsAre(0, 1, 3, 4, 5));
  EXPECT_THAT(StrongestPatches(weights, 100), ElementsAre(0, 1, 3, 4, 5));
  EXPECT_THAT(StrongestPatches(weights, 5), ElementsAre(0, 1, 3, 4, 5));
  EXPECT_THAT(StrongestPatches(weights, 4), ElementsAre(1, 3, 4, 5));
  EXPECT_THAT(StrongestPatches(weights, 2), ElementsAre(1, 3));
  EXPECT_THAT(StrongestPatches(weights, 1), ElementsAre(1));
  EXPECT_THAT(StrongestPatches({}, 3), IsEmpty());
  EXPECT_THAT(StrongestPatches(Vector{0, 0}, 1), IsEmpty());
}

}  // namespace
}  // namespace sightline::index::rerank
