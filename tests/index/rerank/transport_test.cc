// TransportQuery: what scores promise, whatever computes them; and what transport is for.
#include "index/rerank/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/rerank/patch_set.h"
#include "tests/index/rerank/patch_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index::rerank {
namespace {

using ::testing::HasSubstr;

constexpr Marginals kAllMarginals[] = {Marginals::kUniform, Marginals::kCrossCorrelation, Marginals::kInverse,
                                       Marginals::kMinus,   Marginals::kSoftmax,          Marginals::kImportance};
// What int8 similarities and float32 rounds may be off by.
constexpr double kFastTolerance = 1e-3;

TransportScore ScoreOf(const Patches& query, const Patches& result, const TransportOptions& options) {
  const auto transport = TransportQuery::Make(query, options);
  EXPECT_TRUE(transport.ok()) << transport.status();
  if (!transport.ok()) return {};
  const auto scores = transport->Score({&result, 1});
  EXPECT_TRUE(scores.ok()) << scores.status();
  return scores.ok() ? scores->front() : TransportScore();
}

Plan ExplainOf(const Patches& query, const Patches& result, const TransportOptions& options) {
  const auto transport = TransportQuery::Make(query, options);
  EXPECT_TRUE(transport.ok()) << transport.status();
  if (!transport.ok()) return {};
  const auto plan = transport->Explain(result);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : Plan();
}

TEST(TransportTest, IdenticalImagesScoreOneInTheLimitOfASmallEpsilon) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const Marginals marginals : kAllMarginals) {
    for (const double mass : {1.0, 0.6}) {
      const Vector direction = RandomUnit(random, 64);
      const PatchTokens tokens = RandomTokens(random, 7, 6, direction, 0.2);
      double worse = 1;
      for (const double epsilon : {0.2, 0.05, 0.01, 0.001}) {
        const TransportOptions options = {.epsilon = epsilon,
                                          .mass = mass,
                                          .marginals = marginals,
                                          .temperature = 0.5,
                                          .max_rounds = 10'000,
                                          .tolerance = 1e-5};
        const TransportScore score = ScoreOf({&tokens}, {&tokens}, options);
        ASSERT_TRUE(score.converged);
        // Weights sum to at least 0.999 here.
        const double lost = mass - score.structural;
        EXPECT_LE(lost, epsilon * std::log(42.0) + kFastTolerance) << epsilon;
        EXPECT_GE(lost, -kFastTolerance);
        EXPECT_LE(lost, worse + kFastTolerance);
        worse = lost;
      }
      EXPECT_LT(worse, 2 * kFastTolerance);
    }
  }
}

TEST(TransportTest, IdenticalImagesOfDistinctPatchesScoreOneAtTheDefaultEpsilon) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const PatchTokens tokens = RandomTokens(random, 7, 7, RandomUnit(random, 256), 0);
  EXPECT_NEAR(ScoreOf({&tokens}, {&tokens}, {.marginals = Marginals::kUniform}).structural, 1, kFastTolerance);
  EXPECT_NEAR(ExplainOf({&tokens}, {&tokens}, {.marginals = Marginals::kUniform}).structural, 1, 2e-4);
}

TEST(TransportTest, PatchesAllTheSameScoreExactlyOne) {
  std::mt19937 random(3);
  const Vector cell = RandomUnit(random, 32);
  for (const Marginals marginals : {Marginals::kUniform, Marginals::kImportance}) {
    for (const double epsilon : {0.001, 0.05, 10.0}) {
      const PatchTokens tokens =
          MakeTokens(random, 3, 5, std::vector<Vector>(15, cell), cell, TokenPrecision::kFloat32);
      const PatchTokens one = MakeTokens(random, 1, 1, {cell}, cell, TokenPrecision::kInt8);
      const TransportOptions options = {.epsilon = epsilon, .marginals = marginals};
      EXPECT_NEAR(ExplainOf({&tokens}, {&tokens}, options).structural, 1, 1e-6);
      EXPECT_NEAR(ScoreOf({&tokens}, {&tokens}, options).structural, 1, kFastTolerance);
      EXPECT_NEAR(ExplainOf({&one}, {&one}, options).structural, 1, 1e-6);
      EXPECT_NEAR(ScoreOf({&one}, {&one}, options).structural, 1, kFastTolerance);
    }
  }
}

TEST(TransportTest, ScoresAreThoseOfTheExplainedPlan) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const TokenPrecision precision : {TokenPrecision::kInt8, TokenPrecision::kFloat16, TokenPrecision::kFloat32}) {
    for (const double mass : {1.0, 0.4}) {
      const Vector direction = RandomUnit(random, 48);
      const PatchTokens query = RandomTokens(random, 6, 9, direction, 0.4, precision);
      const PatchTokens result = RandomTokens(random, 8, 5, direction, 0.4, precision);
      const TransportOptions options = {.mass = mass, .max_rounds = 1000, .tolerance = 1e-5};
      const TransportScore score = ScoreOf({&query}, {&result}, options);
      const Plan plan = ExplainOf({&query}, {&result}, options);
      EXPECT_NEAR(score.structural, plan.structural, kFastTolerance);
      EXPECT_NEAR(score.mass, plan.mass, kFastTolerance);
      const auto cosines = PatchSimilarities(result, query);
      ASSERT_TRUE(cosines.ok()) << cosines.status();
      ASSERT_EQ(plan.transport.size(), cosines->size());
      EXPECT_NEAR(std::inner_product(cosines->begin(), cosines->end(), plan.transport.begin(), 0.0), plan.structural,
                  1e-9);
    }
  }
}

TEST(TransportTest, AScoreIsThatOfTheResultAlone) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const Vector direction = RandomUnit(random, 32);
  const PatchTokens query = RandomTokens(random, 7, 7, direction, 0.3, TokenPrecision::kInt8);
  std::vector<PatchTokens> results;
  for (int i = 0; i < 23; ++i) {
    const int height = static_cast<int>(1 + random() % 8), width = static_cast<int>(1 + random() % 8);
    results.push_back(RandomTokens(random, height, width, direction, 0.3, static_cast<TokenPrecision>(i % 3)));
  }
  std::vector<Patches> views;
  for (const PatchTokens& result : results) views.push_back({&result});
  const auto transport = TransportQuery::Make({&query}, {});
  ASSERT_TRUE(transport.ok());
  const auto together = transport->Score(views);
  ASSERT_TRUE(together.ok()) << together.status();
  ASSERT_EQ(together->size(), views.size());
  for (size_t i = 0; i < views.size(); ++i) {
    const auto alone = transport->Score({&views[i], 1});
    ASSERT_TRUE(alone.ok());
    EXPECT_EQ((*together)[i].structural, alone->front().structural) << i;
    EXPECT_EQ((*together)[i].rounds, alone->front().rounds) << i;
  }
  const auto none = transport->Score({});
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->empty());
}

TEST(TransportTest, LengthsOfTokensDoNotMatter) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const Vector direction = RandomUnit(random, 24);
  const PatchTokens query = RandomTokens(random, 4, 4, direction, 0.3);
  const PatchTokens result = RandomTokens(random, 4, 5, direction, 0.3);
  PatchTokens scaled = result;
  for (size_t i = 0; i < scaled.floats.size(); ++i) scaled.floats[i] *= i < 24 ? 1e-20f : 1e15f;
  for (float& value : scaled.centre) value *= 7;
  EXPECT_NEAR(ExplainOf({&query}, {&result}, {}).structural, ExplainOf({&query}, {&scaled}, {}).structural, 1e-6);
  EXPECT_NEAR(ScoreOf({&query}, {&result}, {}).structural, ScoreOf({&query}, {&scaled}, {}).structural, kFastTolerance);
}

TEST(TransportTest, AShuffledGridScoresTheSame) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const Marginals marginals : kAllMarginals) {
    const Vector direction = RandomUnit(random, 20);
    const PatchTokens query = RandomTokens(random, 5, 5, direction, 0.3);
    const PatchTokens result = RandomTokens(random, 6, 4, direction, 0.3);
    PatchTokens shuffled = result;
    std::vector<size_t> order(24);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    for (size_t i = 0; i < 24; ++i) {
      std::copy_n(result.floats.begin() + static_cast<std::ptrdiff_t>(order[i] * 20), 20,
                  shuffled.floats.begin() + static_cast<std::ptrdiff_t>(i * 20));
      shuffled.importance[i] = result.importance[order[i]];
    }
    const TransportOptions options = {.mass = 0.7, .marginals = marginals, .temperature = 0.2};
    EXPECT_NEAR(ScoreOf({&query}, {&result}, options).structural, ScoreOf({&query}, {&shuffled}, options).structural,
                kFastTolerance);
    const Plan plan = ExplainOf({&query}, {&result}, options), other = ExplainOf({&query}, {&shuffled}, options);
    for (size_t i = 0; i < 24; ++i) {
      for (size_t j = 0; j < 25; ++j) {
        EXPECT_NEAR(other.transport[i * 25 + j], plan.transport[order[i] * 25 + j], 1e-9);
      }
    }
  }
}

TEST(TransportTest, MaskedPatchesTakeNoPart) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const Marginals marginals : kAllMarginals) {
    const Vector direction = RandomUnit(random, 20);
    const PatchTokens query = RandomTokens(random, 5, 5, direction, 0.3);
    const PatchTokens result = RandomTokens(random, 4, 6, direction, 0.3);
    std::vector<uint8_t> query_mask(25, 1), result_mask(24);
    for (size_t i = 0; i < 25; i += 3) query_mask[i] = 0;
    for (size_t i = 0; i < 24; i += 2) result_mask[i] = 1;
    const TransportOptions options = {.marginals = marginals, .max_rounds = 1000, .tolerance = 1e-5};
    const Plan plan = ExplainOf({&query, query_mask}, {&result, result_mask}, options);
    for (size_t i = 0; i < 24; ++i) {
      for (size_t j = 0; j < 25; ++j) {
        if (result_mask[i] == 0 || query_mask[j] == 0) {
          EXPECT_EQ(plan.transport[i * 25 + j], 0);
        }
      }
    }
    EXPECT_NEAR(plan.mass, 1, 1e-3);
    const TransportScore score = ScoreOf({&query, query_mask}, {&result, result_mask}, options);
    EXPECT_NEAR(score.structural, plan.structural, kFastTolerance);
  }
}

TEST(TransportTest, NothingToMatchScoresNothing) {
  std::mt19937 random(11);
  const PatchTokens tokens = RandomTokens(random, 2, 3, RandomUnit(random, 8), 0.3);
  const std::vector<uint8_t> nothing(6, 0);
  for (const Marginals marginals : kAllMarginals) {
    for (const StopRule stop : {StopRule::kMarginalError, StopRule::kReference, StopRule::kFixed}) {
      for (const double mass : {1.0, 0.5}) {
        const TransportOptions options = {.mass = mass, .marginals = marginals, .stop = stop};
        const Patches pairs[][2] = {
            {{&tokens, nothing}, {&tokens}}, {{&tokens}, {&tokens, nothing}}, {{&tokens, nothing}, {&tokens, nothing}}};
        for (const auto& [query, result] : pairs) {
          const TransportScore score = ScoreOf(query, result, options);
          EXPECT_EQ(score.structural, 0);
          EXPECT_EQ(score.mass, 0);
          EXPECT_TRUE(score.converged);
          const Plan plan = ExplainOf(query, result, options);
          EXPECT_EQ(plan.transport, Vector(36));
          EXPECT_EQ(plan.structural, 0);
          const auto transport = TransportQuery::Make(query, options);
          ASSERT_TRUE(transport.ok());
          const auto bounds = transport->UpperBounds({&result, 1});
          ASSERT_TRUE(bounds.ok()) << bounds.status();
          EXPECT_GE(bounds->front(), 0);
        }
      }
    }
  }
}

TEST(TransportTest, TokensOfZerosMatchNothingButStayFinite) {
  std::mt19937 random(12);
  for (const TokenPrecision precision : {TokenPrecision::kInt8, TokenPrecision::kFloat32}) {
    const PatchTokens tokens = RandomTokens(random, 3, 3, RandomUnit(random, 8), 0.3, precision);
    const PatchTokens zeros = MakeTokens(random, 2, 2, std::vector<Vector>(4, Vector(8)), Vector(8), precision);
    PatchTokens without_scale = tokens;
    for (float& scale : without_scale.scales) scale = 0;
    for (const Marginals marginals : kAllMarginals) {
      EXPECT_NEAR(ScoreOf({&tokens}, {&zeros}, {.marginals = marginals}).structural, 0, 1e-6);
      EXPECT_NEAR(ScoreOf({&zeros}, {&tokens}, {.marginals = marginals}).structural, 0, 1e-6);
      EXPECT_TRUE(std::isfinite(ScoreOf({&tokens}, {&without_scale}, {.marginals = marginals}).structural));
    }
  }
}

TEST(TransportTest, FewerCellsAreTheStrongest) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const Vector direction = RandomUnit(random, 20);
  const PatchTokens query = RandomTokens(random, 6, 6, direction, 0.3);
  const PatchTokens result = RandomTokens(random, 7, 5, direction, 0.3);
  const TransportOptions options = {
      .marginals = Marginals::kImportance, .max_rounds = 1000, .tolerance = 1e-5, .query_cells = 20, .result_cells = 6};
  const auto strongest = [](const PatchTokens& tokens, size_t most) {
    std::vector<size_t> order(tokens.importance.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return tokens.importance[a] > tokens.importance[b]; });
    std::vector<uint8_t> mask(order.size());
    for (size_t i = 0; i < most; ++i) mask[order[i]] = 1;
    return mask;
  };
  const std::vector<uint8_t> query_mask = strongest(query, 20), result_mask = strongest(result, 6);
  TransportOptions all = options;
  all.query_cells = all.result_cells = 0;
  const Plan fewer = ExplainOf({&query}, {&result}, options);
  const Plan masked = ExplainOf({&query, query_mask}, {&result, result_mask}, all);
  ASSERT_EQ(fewer.transport.size(), masked.transport.size());
  for (size_t i = 0; i < fewer.transport.size(); ++i) EXPECT_NEAR(fewer.transport[i], masked.transport[i], 1e-12);
  EXPECT_NEAR(fewer.mass, 1, 1e-4);
  EXPECT_NEAR(ScoreOf({&query}, {&result}, options).structural, fewer.structural, kFastTolerance);
}

TEST(TransportTest, NoScoreExceedsItsUpperBound) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int repeat = 0; repeat < 60; ++repeat) {
    const Vector direction = RandomUnit(random, 16);
    const double mean_cosine = std::uniform_real_distribution<double>(0, 0.9)(random);
    const auto precision = static_cast<TokenPrecision>(random() % 3);
    const PatchTokens query = RandomTokens(random, 5, 4, direction, mean_cosine, precision);
    std::vector<PatchTokens> results = {query, RandomTokens(random, 1, 1, RandomUnit(random, 16), 0.9, precision)};
    for (int i = 0; i < 6; ++i) {
      results.push_back(RandomTokens(random, static_cast<int>(1 + random() % 6), 4, direction, mean_cosine, precision));
      if (i >= 4)
        std::transform(results.back().floats.begin(), results.back().floats.end(), results.back().floats.begin(),
                       std::negate<>());
    }
    std::vector<Patches> views;
    for (const PatchTokens& result : results) views.push_back({&result});
    const TransportOptions options = {.epsilon = repeat % 3 == 0 ? 0.01 : 0.1,
                                      .mass = repeat % 2 == 0 ? 1 : 0.5,
                                      .marginals = kAllMarginals[random() % 6],
                                      .temperature = 0.3,
                                      .stop = repeat % 5 == 0 ? StopRule::kFixed : StopRule::kMarginalError,
                                      .max_rounds = repeat % 5 == 0 ? 1 : 100,
                                      .query_cells = repeat % 4 == 0 ? 7 : 0};
    const auto transport = TransportQuery::Make({&query}, options);
    ASSERT_TRUE(transport.ok());
    const auto scores = transport->Score(views);
    const auto bounds = transport->UpperBounds(views);
    ASSERT_TRUE(scores.ok() && bounds.ok());
    for (size_t i = 0; i < views.size(); ++i) {
      EXPECT_LE((*scores)[i].structural, (*bounds)[i] + 1e-5) << i;
      EXPECT_LE((*bounds)[i], 1 + 1e-5) << i;
    }
  }
}

TEST(TransportTest, TheQueryMayGoOnceItIsPacked) {
  std::mt19937 random(7);
  const Vector direction = RandomUnit(random, 16);
  const PatchTokens result = RandomTokens(random, 3, 3, direction, 0.3);
  auto query = std::make_unique<PatchTokens>(RandomTokens(random, 3, 3, direction, 0.3));
  auto mask = std::make_unique<std::vector<uint8_t>>(9, 1);
  (*mask)[4] = 0;
  const double expected = ScoreOf({query.get(), *mask}, {&result}, {}).structural;
  auto transport = TransportQuery::Make({query.get(), *mask}, {});
  ASSERT_TRUE(transport.ok());
  query.reset();
  mask.reset();
  const TransportQuery moved = *std::move(transport);
  const Patches view = {&result};
  EXPECT_EQ(moved.Score({&view, 1})->front().structural, expected);
}

TEST(TransportTest, BadTokensAreRefusedInWords) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::mt19937 random(5);
  const Vector direction = RandomUnit(random, 8);
  const PatchTokens floats = RandomTokens(random, 2, 3, direction, 0.3);
  const PatchTokens int8 = RandomTokens(random, 2, 3, direction, 0.3, TokenPrecision::kInt8);
  struct Case {
    std::string words;
    const PatchTokens* from;
    std::function<void(PatchTokens&)> damage;
    Marginals marginals = Marginals::kCrossCorrelation;
  };
  const Case cases[] = {
      {"a grid of 0x3", &floats, [](PatchTokens& t) { t.height = 0; }},
      {"a grid of 2x-3", &floats, [](PatchTokens& t) { t.width = -3; }},
      {"a grid of 65536x65536", &floats, [](PatchTokens& t) { t.height = t.width = 65536; }},
      {"dimension 0", &floats, [](PatchTokens& t) { t.dim = 0; }},
      {"47 values; their grid needs 48", &floats, [](PatchTokens& t) { t.floats.pop_back(); }},
      {"0 values; their grid needs 48", &floats, [](PatchTokens& t) { t.precision = TokenPrecision::kInt8; }},
      {"0 values; their grid needs 48", &int8, [](PatchTokens& t) { t.precision = TokenPrecision::kFloat16; }},
      {"49 values", &int8, [](PatchTokens& t) { t.values.push_back(1); }},
      {"5 scales; their grid needs 6", &int8, [](PatchTokens& t) { t.scales.pop_back(); }},
      {"7 centre values; their grid needs 8", &floats, [](PatchTokens& t) { t.centre.pop_back(); }},
      {"0 importances; their grid needs 6", &floats, [](PatchTokens& t) { t.importance.clear(); },
       Marginals::kImportance},
      {"values of patches is nan", &floats, [](PatchTokens& t) { t.floats[47] = kNan; }},
      {"values of patches is -inf", &floats, [](PatchTokens& t) { t.floats[0] = -kInfinity; }},
      {"scales of patches is inf", &int8, [](PatchTokens& t) { t.scales[5] = kInfinity; }},
      {"centre values of patches is nan", &floats, [](PatchTokens& t) { t.centre[3] = kNan; }},
      {"importances of patches is nan", &floats, [](PatchTokens& t) { t.importance[3] = kNan; },
       Marginals::kImportance},
      {"an importance is -0.5", &floats, [](PatchTokens& t) { t.importance[3] = -0.5f; }, Marginals::kImportance},
  };
  for (const Case& bad : cases) {
    PatchTokens tokens = *bad.from;
    bad.damage(tokens);
    const TransportOptions options = {.marginals = bad.marginals};
    const auto as_query = TransportQuery::Make({&tokens}, options);
    EXPECT_EQ(as_query.status().code(), absl::StatusCode::kInvalidArgument) << bad.words;
    EXPECT_THAT(std::string(as_query.status().message()), HasSubstr(bad.words));
    const auto transport = TransportQuery::Make({bad.from}, options);
    ASSERT_TRUE(transport.ok());
    const Patches views[] = {{bad.from}, {&tokens}};
    for (const absl::Status& status : {transport->Score(views).status(), transport->UpperBounds(views).status(),
                                       transport->Explain(views[1]).status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.words;
      EXPECT_THAT(std::string(status.message()), HasSubstr(bad.words));
      EXPECT_EQ(base::GetErrorInfo(status).reason, "TOKENS_INVALID");
    }
  }
}

TEST(TransportTest, WhatIsNotUsedMayBeMissing) {
  std::mt19937 random(5);
  PatchTokens tokens = RandomTokens(random, 2, 3, RandomUnit(random, 8), 0.3);
  tokens.centre.clear();
  tokens.importance.clear();
  EXPECT_GT(ScoreOf({&tokens}, {&tokens}, {.marginals = Marginals::kUniform}).structural, 0.5);
}

TEST(TransportTest, OtherDimensionsMasksAndOptionsAreRefused) {
  std::mt19937 random(5);
  const PatchTokens eight = RandomTokens(random, 2, 3, RandomUnit(random, 8), 0.3);
  const PatchTokens nine = RandomTokens(random, 2, 3, RandomUnit(random, 9), 0.3);
  const auto transport = TransportQuery::Make({&eight}, {});
  ASSERT_TRUE(transport.ok());
  const Patches other = {&nine}, none = {};
  const std::vector<uint8_t> short_mask(5, 1);
  const Patches masked = {&eight, short_mask};
  const std::pair<const Patches*, std::string> bad[] = {
      {&other, "the query's patches have dimension 8, a result's 9"},
      {&none, "patches have no tokens"},
      {&masked, "patches have 5 mask entries; their grid needs 6"},
  };
  for (const auto& [patches, words] : bad) {
    for (const absl::Status& status :
         {transport->Score({patches, 1}).status(), transport->UpperBounds({patches, 1}).status(),
          transport->Explain(*patches).status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()), HasSubstr(words));
    }
  }
  EXPECT_THAT(std::string(PatchSimilarities(eight, nine).status().message()), HasSubstr("dimension 9, a result's 8"));
  EXPECT_FALSE(TransportQuery::Make({}, {}).ok());
  EXPECT_FALSE(TransportQuery::Make(masked, {}).ok());
  EXPECT_FALSE(TransportQuery::Make({&eight}, {.mass = 0}).ok());
}

// A query of `kCells` patches; the true match shows half of them almost as they are and hides the others behind
// something foreign; each distractor resembles every patch, but less: a scene of the same kind. Full transport has to
// match what is foreign as well: it gives the true match 0.52 and the best distractor 0.69, partial 0.44 and 0.34.
constexpr int kSide = 8, kCells = kSide * kSide, kPlantedDim = 64, kDistractors = 10;

// The places of the true match when it is ordered by full and by partial transport.
std::pair<int, int> PlacesOfThePlanted(unsigned seed) {
  std::mt19937 random(seed);
  const Vector direction = RandomUnit(random, kPlantedDim);
  std::vector<Vector> query_cells, true_cells;
  for (int i = 0; i < kCells; ++i) query_cells.push_back(Near(random, direction, std::sqrt(0.3)));
  for (int i = 0; i < kCells; ++i) {
    true_cells.push_back(i % 2 == 0 ? Near(random, query_cells[static_cast<size_t>(i)], 0.9)
                                    : RandomUnit(random, kPlantedDim));
  }
  std::shuffle(true_cells.begin(), true_cells.end(), random);
  const auto make = [&](const std::vector<Vector>& cells) {
    return MakeTokens(random, kSide, kSide, cells, direction, TokenPrecision::kInt8);
  };
  const PatchTokens query = make(query_cells);
  std::vector<PatchTokens> images = {make(true_cells)};
  std::uniform_real_distribution<double> likeness(0.6, 0.7);
  for (int d = 0; d < kDistractors; ++d) {
    std::vector<Vector> cells;
    const double cosine = likeness(random);
    for (const Vector& cell : query_cells) cells.push_back(Near(random, cell, cosine));
    images.push_back(make(cells));
  }
  std::vector<Patches> views;
  for (const PatchTokens& image : images) views.push_back({&image});
  const auto place = [&](double mass) {
    const auto scores = TransportQuery::Make({&query}, {.mass = mass, .marginals = Marginals::kUniform})->Score(views);
    return static_cast<int>(std::count_if(scores->begin(), scores->end(), [&](const TransportScore& score) {
      return score.structural > scores->front().structural;
    }));
  };
  return {place(1), place(0.5)};
}

TEST(TransportTest, PartialTransportFindsWhatIsHalfHiddenWhereFullDoesNot) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  constexpr int kTrials = 30;
  int full_first = 0, partial_first = 0;
  for (unsigned trial = 0; trial < kTrials; ++trial) {
    const auto [full, partial] = PlacesOfThePlanted(seed + trial);
    full_first += full == 0 ? 1 : 0;
    partial_first += partial == 0 ? 1 : 0;
  }
  RecordProperty("full_first", full_first);
  RecordProperty("partial_first", partial_first);
  EXPECT_EQ(partial_first, kTrials);
  EXPECT_EQ(full_first, 0);
}

}  // namespace
}  // namespace sightline::index::rerank
