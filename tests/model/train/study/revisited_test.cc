#include "model/train/study/revisited.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace sightline::train {
namespace {

constexpr Relevance kW = Relevance::kWrong;
constexpr Relevance kE = Relevance::kEasy;
constexpr Relevance kH = Relevance::kHard;
constexpr Relevance kJ = Relevance::kJunk;

// The protocol in its own words: lists of what is right and what is ignored, and the area under the curve of precision
// over recall by trapezoids.
std::optional<double> ReferencePrecision(std::vector<Relevance> ranking, const std::set<Relevance>& right,
                                         const std::set<Relevance>& ignored) {
  std::erase_if(ranking, [&](Relevance r) { return ignored.contains(r); });
  const auto positives = std::count_if(ranking.begin(), ranking.end(), [&](Relevance r) { return right.contains(r); });
  if (positives == 0) return std::nullopt;
  double area = 0;
  double found = 0;
  for (size_t i = 0; i < ranking.size(); ++i) {
    if (!right.contains(ranking[i])) continue;
    const double before = i == 0 ? 1 : found / static_cast<double>(i);
    ++found;
    area += (before + found / static_cast<double>(i + 1)) / 2 / static_cast<double>(positives);
  }
  return area;
}

TEST(RevisitedTest, KnownValueOfTheProtocol) {
  // Ranking [7, 3, 9, 1, 5], right {3, 5}, ignored {7, 1}.
  const std::vector<Relevance> ranking = {kJ, kE, kW, kJ, kH};
  EXPECT_NEAR(*RevisitedPrecision(ranking, RevisitedSplit::kMedium), 0.7916667, 1e-7);
  EXPECT_DOUBLE_EQ(*RevisitedPrecision(ranking, RevisitedSplit::kEasy), 1);
  // Behind one wrong image: (0 + 1/2) / 2.
  EXPECT_DOUBLE_EQ(*RevisitedPrecision(ranking, RevisitedSplit::kHard), 0.25);
}

TEST(RevisitedTest, AQueryWithoutRightImagesHasNoValue) {
  EXPECT_FALSE(RevisitedPrecision({}, RevisitedSplit::kMedium).has_value());
  EXPECT_FALSE(RevisitedPrecision({kW, kJ, kH}, RevisitedSplit::kEasy).has_value());
  EXPECT_FALSE(RevisitedPrecision({kW, kJ, kE}, RevisitedSplit::kHard).has_value());
  const RevisitedScores scores = ScoreRevisited({0.5f, 0.4f, 0.1f, 0.2f}, {{kE, kW}, {kJ, kW}});
  EXPECT_EQ(scores.easy.queries, 1);
  EXPECT_EQ(scores.medium.queries, 1);
  EXPECT_EQ(scores.hard.queries, 0);
  EXPECT_EQ(scores.easy.map, 1);
  EXPECT_EQ(scores.hard.map, 0);
  EXPECT_EQ(ScoreRevisited({}, {}).medium.queries, 0);
}

TEST(RevisitedTest, EqualSimilaritiesKeepTheOrderOfTheDatabase) {
  EXPECT_DOUBLE_EQ(ScoreRevisited({0.3f, 0.3f}, {{kE, kW}}).easy.map, 1);
  EXPECT_DOUBLE_EQ(ScoreRevisited({0.3f, 0.3f}, {{kW, kE}}).easy.map, 0.25);
}

TEST(RevisitedTest, AgreesWithTheProtocolInItsOwnWordsOnRandomRankings) {
  const unsigned seed = 20;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const size_t queries = random() % 4 + 1;
    const size_t images = random() % 40;
    std::vector<float> similarities(queries * images);
    for (float& value : similarities) value = static_cast<float>(random() % 1000003);
    std::vector<std::vector<Relevance>> verdicts(queries, std::vector<Relevance>(images));
    double sums[3] = {};
    int64_t counts[3] = {};
    for (size_t q = 0; q < queries; ++q) {
      std::vector<std::pair<float, Relevance>> judged;
      for (size_t i = 0; i < images; ++i) {
        verdicts[q][i] = static_cast<Relevance>(random() % 4);
        judged.emplace_back(-similarities[q * images + i], verdicts[q][i]);
      }
      std::stable_sort(judged.begin(), judged.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      std::vector<Relevance> ranking;
      for (const auto& [distance, relevance] : judged) ranking.push_back(relevance);
      const std::optional<double> values[3] = {ReferencePrecision(ranking, {kE}, {kH, kJ}),
                                               ReferencePrecision(ranking, {kE, kH}, {kJ}),
                                               ReferencePrecision(ranking, {kH}, {kE, kJ})};
      for (int s = 0; s < 3; ++s) {
        if (!values[s]) continue;
        sums[s] += *values[s];
        ++counts[s];
      }
    }
    const RevisitedScores scores = ScoreRevisited(similarities, verdicts);
    const SplitScore* const splits[3] = {&scores.easy, &scores.medium, &scores.hard};
    for (int s = 0; s < 3; ++s) {
      EXPECT_EQ(splits[s]->queries, counts[s]);
      EXPECT_NEAR(splits[s]->map, counts[s] == 0 ? 0 : sums[s] / static_cast<double>(counts[s]), 1e-12);
    }
  }
}

}  // namespace
}  // namespace sightline::train
