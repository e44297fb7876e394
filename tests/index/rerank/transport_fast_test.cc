// Scores in int8 and float32 vectors against the plain version in double precision, at every SIMD level.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/rerank/patch_set.h"
#include "index/rerank/transport.h"
#include "tests/index/simd_levels.h"
#include "tests/support/seed.h"

namespace sightline::index::rerank {
namespace {

constexpr double kTight = 1e-5;
constexpr double kLoose = 1e-4;  // between rounds that are both within the tolerance

// Cells of about this cosine with `direction`, and so about its square with each other.
PatchTokens Tokens(std::mt19937& random, int height, int width, const std::vector<float>& direction, float cosine,
                   TokenPrecision precision) {
  const size_t dim = direction.size(), cells = static_cast<size_t>(height * width);
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(dim)));
  PatchTokens tokens;
  tokens.height = height;
  tokens.width = width;
  tokens.dim = static_cast<int>(dim);
  tokens.precision = precision;
  const float across = std::sqrt(1 - cosine * cosine);
  std::vector<float> values(cells * dim);
  for (size_t i = 0; i < values.size(); ++i) values[i] = cosine * direction[i % dim] + across * normal(random);
  for (size_t d = 0; d < dim; ++d) tokens.centre.push_back(direction[d] + 0.5f * normal(random));
  for (size_t t = 0; t < cells; ++t) tokens.importance.push_back(1.0f / static_cast<float>(1 + random() % 9));
  if (precision == TokenPrecision::kInt8) {
    for (const float value : values) {
      tokens.values.push_back(static_cast<int8_t>(std::lround(std::clamp(value * 200, -128.0f, 127.0f))));
    }
    for (size_t t = 0; t < cells; ++t) tokens.scales.push_back(0.001f * static_cast<float>(1 + random() % 9));
  } else {
    tokens.floats = values;
  }
  return tokens;
}

std::vector<float> Direction(std::mt19937& random, size_t dim) {
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(dim)));
  std::vector<float> direction(dim);
  for (float& value : direction) value = normal(random);
  return direction;
}

std::vector<uint8_t> Mask(std::mt19937& random, int cells) {
  std::vector<uint8_t> mask;
  if (random() % 3 == 0) {
    for (int i = 0; i < cells; ++i) mask.push_back(random() % 4 != 0);
  }
  return mask;
}

template <typename T>
T OneOf(std::mt19937& random, std::initializer_list<T> values) {
  return values.begin()[random() % values.size()];
}

TransportOptions RandomOptions(std::mt19937& random) {
  TransportOptions options;
  options.epsilon = OneOf(random, {0.005, 0.01, 0.02, 0.05, 0.05, 0.05, 0.2});
  options.mass = OneOf(random, {1.0, 1.0, 0.999, 0.9, 0.6, 0.1});
  options.marginals = OneOf(random, {Marginals::kUniform, Marginals::kCrossCorrelation, Marginals::kInverse,
                                     Marginals::kMinus, Marginals::kSoftmax, Marginals::kImportance});
  options.temperature = OneOf(random, {0.1, 1.0});
  options.stop = OneOf(random, {StopRule::kFixed, StopRule::kMarginalError, StopRule::kReference});
  options.max_rounds = OneOf(random, {1, 2, 20, 100});
  options.query_cells = OneOf(random, {0, 0, 0, 5, 30});
  options.result_cells = OneOf(random, {0, 0, 0, 4, 50});
  return options;
}

// A score by itself at the level that is in force. Where the rounds converge slowly, rounding decides which is the last
// one; that of the plain version is asked for then.
void ExpectPlain(const Patches& query, const Patches& result, TransportOptions options) {
  const auto made = TransportQuery::Make(query, options);
  ASSERT_TRUE(made.ok()) << made.status();
  auto scores = made->Score({&result, 1});
  ASSERT_TRUE(scores.ok()) << scores.status();
  const auto plan = made->Explain(result);
  ASSERT_TRUE(plan.ok()) << plan.status();
  if (scores->front().rounds != plan->rounds) {
    EXPECT_NEAR(scores->front().structural, plan->structural, kLoose);
    options.stop = StopRule::kFixed;
    options.max_rounds = plan->rounds;
    scores = TransportQuery::Make(query, options)->Score({&result, 1});
    ASSERT_TRUE(scores.ok()) << scores.status();
  } else {
    EXPECT_EQ(scores->front().converged, plan->converged);
  }
  EXPECT_NEAR(scores->front().structural, plan->structural, kTight);
  EXPECT_NEAR(scores->front().mass, plan->mass, kTight);
  const auto bounds = made->UpperBounds({&result, 1});
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  EXPECT_LE(scores->front().structural, bounds->front() + 1e-6);
}

TEST(TransportFastTest, AgreesWithDoublePrecision) {
  const unsigned seed = sightline::testing::Seed();
  std::mt19937 random(seed);
  for (int turn = 0; turn < 150; ++turn) {
    const TransportOptions options = RandomOptions(random);
    // In few dimensions many cells look like the mean, and 1 - relu(a) of those is mostly rounding.
    const size_t dim = options.marginals == Marginals::kMinus ? OneOf<size_t>(random, {30, 64, 128, 130})
                                                              : OneOf<size_t>(random, {1, 3, 4, 30, 64, 128, 130});
    const std::vector<float> direction = Direction(random, dim);
    const float cosine = OneOf(random, {0.0f, 0.55f, 0.55f, 0.9f});
    const auto side = [&] {
      const auto precision = OneOf(random, {TokenPrecision::kInt8, TokenPrecision::kInt8, TokenPrecision::kFloat32});
      const int height = 1 + static_cast<int>(random() % 9), width = 1 + static_cast<int>(random() % 9);
      return Tokens(random, height, width, direction, cosine, precision);
    };
    const PatchTokens query = side(), result = side();
    const std::vector<uint8_t> query_mask = Mask(random, query.cells()), result_mask = Mask(random, result.cells());
    SCOPED_TRACE(absl::StrCat("seed ", seed, ", turn ", turn, ": ", query.height, "x", query.width, " and ",
                              result.height, "x", result.width, "x", dim, ", cosine ", cosine, ", epsilon ",
                              options.epsilon, ", mass ", options.mass, ", marginals ",
                              static_cast<int>(options.marginals), ", stop ", static_cast<int>(options.stop),
                              ", rounds ", options.max_rounds));
    ForEachSimdLevel([&] { ExpectPlain({&query, query_mask}, {&result, result_mask}, options); });
    if (HasFailure()) return;
  }
}

TEST(TransportFastTest, AgreesOnGridsOfImages) {
  std::mt19937 random(11);
  const std::vector<float> direction = Direction(random, 128);
  for (const TokenPrecision precision : {TokenPrecision::kInt8, TokenPrecision::kFloat32}) {
    for (const double mass : {1.0, 0.6}) {
      const PatchTokens query = Tokens(random, 14, 14, direction, 0.55f, precision);
      const PatchTokens result = Tokens(random, 12, 16, direction, 0.55f, precision);
      const PatchTokens large = Tokens(random, 24, 24, direction, 0.55f, precision);
      TransportOptions options;
      options.mass = mass;
      ForEachSimdLevel([&] { ExpectPlain({&query}, {&result}, options); });
      ExpectPlain({&query}, {&large}, options);
      ExpectPlain({&large}, {&query}, options);
    }
  }
}

// K spans e^-400, where float32 ends at e^-87; so do the scalings.
TEST(TransportFastTest, AgreesWhereFloat32EndsEarly) {
  std::mt19937 random(12);
  const std::vector<float> direction = Direction(random, 32);
  std::vector<float> opposite = direction;
  for (float& value : opposite) value = -value;
  for (const double epsilon : {0.005, 0.01, 0.02, 0.05}) {
    for (const double mass : {1.0, 0.7}) {
      SCOPED_TRACE(absl::StrCat("epsilon ", epsilon, ", mass ", mass));
      TransportOptions options;
      options.epsilon = epsilon;
      options.mass = mass;
      options.marginals = Marginals::kUniform;
      const PatchTokens query = Tokens(random, 5, 5, direction, 0.9f, TokenPrecision::kInt8);
      const PatchTokens like = Tokens(random, 5, 4, direction, 0.9f, TokenPrecision::kInt8);
      const PatchTokens unlike = Tokens(random, 4, 5, opposite, 0.9f, TokenPrecision::kInt8);
      // Some cells of each kind.
      PatchTokens mixed = like;
      std::copy_n(unlike.values.begin(), 10 * 32, mixed.values.begin());
      // Cosines of exactly -1.
      PatchTokens reversed = query;
      for (float& scale : reversed.scales) scale = -scale;
      ForEachSimdLevel([&] {
        for (const PatchTokens* result :
             std::initializer_list<const PatchTokens*>{&like, &unlike, &mixed, &reversed, &query}) {
          ExpectPlain({&query}, {result}, options);
        }
      });
    }
  }
}

TEST(TransportFastTest, IdenticalImagesScoreOne) {
  std::mt19937 random(13);
  for (const TokenPrecision precision : {TokenPrecision::kInt8, TokenPrecision::kFloat32}) {
    const PatchTokens image = Tokens(random, 7, 7, Direction(random, 64), 0, precision);
    TransportOptions options;
    options.marginals = Marginals::kUniform;
    options.epsilon = 0.01;
    options.stop = StopRule::kFixed;
    options.max_rounds = 200;
    ForEachSimdLevel([&] {
      const auto query = TransportQuery::Make({&image}, options);
      ASSERT_TRUE(query.ok());
      const Patches result = {&image};
      const auto scores = query->Score({&result, 1});
      ASSERT_TRUE(scores.ok());
      EXPECT_NEAR(scores->front().structural, 1, 1e-4);
      EXPECT_NEAR(scores->front().mass, 1, 1e-5);
    });
  }
}

TEST(TransportFastTest, NothingTakesPart) {
  std::mt19937 random(14);
  const PatchTokens image = Tokens(random, 3, 3, Direction(random, 8), 0.5f, TokenPrecision::kInt8);
  const std::vector<uint8_t> none(9, 0), all(9, 1);
  const Patches results[] = {{&image, none}, {&image, all}};
  for (const StopRule stop : {StopRule::kFixed, StopRule::kMarginalError, StopRule::kReference}) {
    TransportOptions options;
    options.stop = stop;
    const auto masked = TransportQuery::Make({&image, none}, options), whole = TransportQuery::Make({&image}, options);
    const auto nothing = masked->Score(results), something = whole->Score(results);
    ASSERT_TRUE(nothing.ok() && something.ok());
    EXPECT_EQ(nothing->at(0).structural, 0);
    EXPECT_EQ(nothing->at(1).mass, 0);
    EXPECT_EQ(something->at(0).mass, 0);
    EXPECT_NEAR(something->at(1).mass, 1, 1e-3);
    EXPECT_EQ(masked->UpperBounds(results)->at(1), 0);
    EXPECT_TRUE(whole->Score({})->empty());
  }
}

TEST(TransportFastTest, ZeroAndTurnedTokens) {
  std::mt19937 random(15);
  PatchTokens query = Tokens(random, 3, 5, Direction(random, 24), 0.6f, TokenPrecision::kInt8);
  PatchTokens result = Tokens(random, 4, 4, Direction(random, 24), 0.6f, TokenPrecision::kInt8);
  query.scales[3] = 0;
  query.scales[4] *= -1;
  result.scales[0] *= -1;
  std::fill_n(result.values.begin() + 24, 24, int8_t{0});
  for (const Marginals marginals : {Marginals::kCrossCorrelation, Marginals::kSoftmax, Marginals::kUniform}) {
    TransportOptions options;
    options.marginals = marginals;
    ForEachSimdLevel([&] { ExpectPlain({&query}, {&result}, options); });
  }
}

// All results of a call stop together, and where depends on all of them.
TEST(TransportFastTest, ReferenceRuleLooksAtAllResults) {
  std::mt19937 random(16);
  const std::vector<float> direction = Direction(random, 48);
  const PatchTokens query = Tokens(random, 6, 6, direction, 0.5f, TokenPrecision::kInt8);
  std::vector<PatchTokens> tokens;
  for (const float cosine : {0.2f, 0.5f, 0.9f, 0.95f}) {
    tokens.push_back(Tokens(random, 5, 7, direction, cosine, TokenPrecision::kInt8));
  }
  std::vector<Patches> results;
  std::vector<std::vector<double>> cosines;
  for (const PatchTokens& one : tokens) {
    results.push_back({&one});
    cosines.push_back(*PatchSimilarities(one, query));
  }
  for (const double mass : {1.0, 0.5}) {
    for (const int most : {3, 100}) {
      TransportOptions options;
      options.stop = StopRule::kReference;
      options.marginals = Marginals::kUniform;
      options.mass = mass;
      options.max_rounds = most;
      std::vector<Similarities> similarities;
      for (const auto& one : cosines) similarities.push_back({one, 35, 36});
      const std::vector<std::vector<double>> u(4, std::vector<double>(35, 1.0 / 35)),
          v(4, std::vector<double>(36, 1.0 / 36));
      const auto plans = SinkhornTogether(similarities, u, v, options);
      ASSERT_TRUE(plans.ok()) << plans.status();
      ForEachSimdLevel([&] {
        const auto scores = TransportQuery::Make({&query}, options)->Score(results);
        ASSERT_TRUE(scores.ok()) << scores.status();
        for (size_t i = 0; i < 4; ++i) {
          EXPECT_EQ(scores->at(i).rounds, plans->at(i).rounds);
          EXPECT_EQ(scores->at(i).converged, plans->at(i).converged);
          EXPECT_NEAR(scores->at(i).structural, plans->at(i).structural, kTight);
          EXPECT_NEAR(scores->at(i).mass, plans->at(i).mass, kTight);
        }
      });
    }
  }
}

TEST(TransportFastTest, ToleranceFinerThanFloat32) {
  std::mt19937 random(17);
  const std::vector<float> direction = Direction(random, 16);
  const PatchTokens query = Tokens(random, 4, 4, direction, 0.5f, TokenPrecision::kFloat32);
  const PatchTokens result = Tokens(random, 4, 4, direction, 0.5f, TokenPrecision::kFloat32);
  TransportOptions options;
  options.tolerance = 1e-10;
  options.max_rounds = 5000;
  ExpectPlain({&query}, {&result}, options);
}

TEST(TransportFastTest, RefusesWhatDoesNotFit) {
  std::mt19937 random(18);
  const PatchTokens good = Tokens(random, 3, 3, Direction(random, 8), 0.5f, TokenPrecision::kFloat32);
  const auto query = TransportQuery::Make({&good}, {});
  ASSERT_TRUE(query.ok());
  const auto refused = [&](const PatchTokens& tokens) {
    const Patches results[] = {{&good}, {&tokens}};
    EXPECT_EQ(query->Score(results).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(query->UpperBounds(results).status().code(), absl::StatusCode::kInvalidArgument);
  };
  PatchTokens bad = good;
  bad.floats[5] = std::numeric_limits<float>::quiet_NaN();
  refused(bad);
  bad = good;
  bad.floats.pop_back();
  refused(bad);
  bad = good;
  bad.precision = TokenPrecision::kInt8;
  refused(bad);
  refused(Tokens(random, 3, 3, Direction(random, 9), 0.5f, TokenPrecision::kFloat32));
  const Patches nothing;
  EXPECT_EQ(query->Score({&nothing, 1}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(TransportFastTest, AnyThreadAnyOrder) {
  std::mt19937 random(19);
  const std::vector<float> direction = Direction(random, 64);
  const PatchTokens image = Tokens(random, 7, 7, direction, 0.5f, TokenPrecision::kInt8);
  std::vector<PatchTokens> tokens;
  std::vector<Patches> results;
  for (int i = 0; i < 12; ++i) {
    tokens.push_back(
        Tokens(random, 1 + i, 12 - i, direction, 0.5f, i % 2 == 0 ? TokenPrecision::kInt8 : TokenPrecision::kFloat32));
  }
  for (const PatchTokens& one : tokens) results.push_back({&one});
  const auto query = TransportQuery::Make({&image}, {});
  ASSERT_TRUE(query.ok());
  const auto expected = query->Score(results);
  ASSERT_TRUE(expected.ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (size_t turn = 0; turn < results.size(); ++turn) {
        const size_t at = (turn * 5 + static_cast<size_t>(t)) % results.size();
        const auto score = query->Score({&results[at], 1});
        EXPECT_TRUE(score.ok() && score->front().structural == expected->at(at).structural) << at;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace sightline::index::rerank
