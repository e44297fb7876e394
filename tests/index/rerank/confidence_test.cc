// The fit of the confidence: against the model that drew the pairs, against its own optimality, and on odd pairs.
#include "index/rerank/confidence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "absl/strings/match.h"

namespace sightline::index::rerank {
namespace {

// Pairs whose truth is drawn with the probability that `truth` gives them.
std::vector<LabelledPair> Draw(const ConfidenceModel& truth, int count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<LabelledPair> pairs;
  for (int i = 0; i < count; ++i) {
    LabelledPair pair;
    pair.score = uniform(random);
    pair.structural = 0.3 * pair.score + 0.7 * uniform(random);
    pair.same = uniform(random) < truth.Confidence(pair.score, pair.structural);
    pairs.push_back(pair);
  }
  return pairs;
}

// The loss that the fit minimises, but for its ridge, written plainly.
double LossOf(const std::vector<LabelledPair>& pairs, double a, double b, double c) {
  double same = 0;
  for (const LabelledPair& pair : pairs) same += pair.same ? 1 : 0;
  const double other = static_cast<double>(pairs.size()) - same;
  double loss = 0;
  for (const LabelledPair& pair : pairs) {
    const double target = pair.same ? (same + 1) / (same + 2) : 1 / (other + 2);
    const double p = 1 / (1 + std::exp(-(a * pair.score + b * pair.structural.value_or(0) + c)));
    loss -= target * std::log(p) + (1 - target) * std::log(1 - p);
  }
  return loss;
}

TEST(ConfidenceTest, FindsTheModelThatDrewThePairs) {
  const ConfidenceModel truth{.a = 6, .b = 9, .c = -8, .score_only_a = 0, .score_only_c = 0};
  const auto fit = FitConfidence(Draw(truth, 20'000, 1));
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_NEAR(fit->model.a, 6, 0.6);
  EXPECT_NEAR(fit->model.b, 9, 0.6);
  EXPECT_NEAR(fit->model.c, -8, 0.5);
  EXPECT_EQ(fit->pairs, 20'000);
  EXPECT_LT(fit->expected_error, 0.02);
  // What the truth itself would be charged for fresh pairs, it is charged for those left out, within chance.
  double loss = 0;
  const std::vector<LabelledPair> fresh = Draw(truth, 20'000, 2);
  for (const LabelledPair& pair : fresh) {
    const double p = truth.Confidence(pair.score, pair.structural);
    loss -= std::log(pair.same ? p : 1 - p) / 20'000;
  }
  EXPECT_NEAR(fit->log_loss, loss, 0.02);
}

TEST(ConfidenceTest, NoNeighbouringModelIsBetter) {
  for (const unsigned seed : {3u, 4u, 5u}) {
    SCOPED_TRACE(seed);
    const std::vector<LabelledPair> pairs = Draw({.a = 4, .b = 3, .c = -3}, 400, seed);
    const auto fit = FitConfidence(pairs);
    ASSERT_TRUE(fit.ok()) << fit.status();
    const auto [a, b, c, score_only_a, score_only_c] = fit->model;
    const double best = LossOf(pairs, a, b, c);
    std::vector<LabelledPair> scores = pairs;
    for (LabelledPair& pair : scores) pair.structural.reset();
    const double best_by_score = LossOf(scores, score_only_a, 0, score_only_c);
    for (const double step : {0.05, -0.05}) {
      EXPECT_GT(LossOf(pairs, a + step, b, c), best);
      EXPECT_GT(LossOf(pairs, a, b + step, c), best);
      EXPECT_GT(LossOf(pairs, a, b, c + step), best);
      EXPECT_GT(LossOf(scores, score_only_a + step, 0, score_only_c), best_by_score);
      EXPECT_GT(LossOf(scores, score_only_a, 0, score_only_c + step), best_by_score);
    }
  }
}

TEST(ConfidenceTest, PairsBeyondDoubtHaveAFiniteModel) {
  std::vector<LabelledPair> pairs;
  for (int i = 0; i < 50; ++i) {
    pairs.push_back({0.9 + i * 1e-3, 0.8, true});
    pairs.push_back({0.2 + i * 1e-3, 0.1, false});
  }
  const auto fit = FitConfidence(pairs);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_TRUE(std::isfinite(fit->model.a + fit->model.b + fit->model.c));
  EXPECT_GT(fit->model.Confidence(0.92, 0.8), 0.9);
  EXPECT_LT(fit->model.Confidence(0.22, 0.1), 0.1);
  EXPECT_EQ(fit->accuracy, 1);
}

TEST(ConfidenceTest, MoreLikenessNeverMeansLess) {
  // The structural score misleads: it is greater for different objects.
  std::mt19937 random(6);
  std::normal_distribution<double> noise(0, 0.1);
  std::vector<LabelledPair> pairs;
  for (int i = 0; i < 200; ++i) {
    const bool same = i % 2 == 0;
    pairs.push_back({(same ? 0.6 : 0.5) + noise(random), (same ? 0.4 : 0.6) + noise(random), same});
  }
  const auto fit = FitConfidence(pairs);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->model.b, 0);
  EXPECT_GT(fit->model.a, 0);
  // And when both do.
  for (LabelledPair& pair : pairs) pair.score = -pair.score;
  const auto flat = FitConfidence(pairs);
  ASSERT_TRUE(flat.ok()) << flat.status();
  EXPECT_EQ(flat->model.a, 0);
  EXPECT_EQ(flat->model.b, 0);
  EXPECT_NEAR(flat->model.Confidence(0.9, 0.9), 0.5, 1e-6);
}

TEST(ConfidenceTest, WithoutStructuralScoresTheCosineDecides) {
  std::vector<LabelledPair> pairs = Draw({.a = 8, .b = 0, .c = -4}, 500, 7);
  for (LabelledPair& pair : pairs) pair.structural.reset();
  const auto fit = FitConfidence(pairs);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->model.b, 0);
  EXPECT_EQ(fit->model.Confidence(0.7, std::nullopt), fit->model.Confidence(0.7, 0.4));
}

TEST(ConfidenceTest, TheLeastScoreHasTheConfidence) {
  const ConfidenceModel model{.a = 0, .b = 0, .c = 0, .score_only_a = 8, .score_only_c = -4};
  for (const double confidence : {0.01, 0.3, 0.5, 0.9, 0.98}) {
    EXPECT_NEAR(model.Confidence(model.LeastScore(confidence), std::nullopt), confidence, 1e-12);
  }
  EXPECT_EQ(model.LeastScore(0), -2);
  EXPECT_EQ(model.LeastScore(1), 2);
  const ConfidenceModel flat{.a = 0, .b = 0, .c = 0, .score_only_a = 0, .score_only_c = 1};
  EXPECT_EQ(flat.LeastScore(0.7), -2);
  EXPECT_EQ(flat.LeastScore(0.8), 2);
}

TEST(ConfidenceTest, ScoresThatAreAllAlikeTellNothing) {
  std::vector<LabelledPair> pairs;
  for (int i = 0; i < 90; ++i) pairs.push_back({0.5, 0.5, i % 3 == 0});
  const auto fit = FitConfidence(pairs);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_NEAR(fit->model.Confidence(0.5, 0.5), 1.0 / 3, 0.02);
}

TEST(ConfidenceTest, RefusesWhatCannotBeFitted) {
  std::vector<LabelledPair> pairs = Draw({.a = 4, .b = 3, .c = -3}, 200, 8);
  pairs[5].structural = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(FitConfidence(pairs).status().code(), absl::StatusCode::kInvalidArgument);
  pairs[5].structural = 0.1;
  pairs[5].score = std::numeric_limits<double>::infinity();
  EXPECT_EQ(FitConfidence(pairs).status().code(), absl::StatusCode::kInvalidArgument);
  for (LabelledPair& pair : pairs) pair = {0.5, 0.5, true};
  pairs.resize(120);
  for (size_t i = 0; i < 19; ++i) pairs[i].same = false;
  const absl::Status few = FitConfidence(pairs).status();
  EXPECT_TRUE(absl::StrContains(few.message(), "101 pairs of the same object and 19 of different ones")) << few;
  EXPECT_FALSE(FitConfidence({}).ok());
}

}  // namespace
}  // namespace sightline::index::rerank
