#include "model/train/study/revisited.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "base/retrieval_metrics.h"

namespace sightline::train {
namespace {

enum class Role { kRight, kWrong, kLeftOut };

Role RoleIn(RevisitedSplit split, Relevance relevance) {
  switch (relevance) {
    case Relevance::kWrong: return Role::kWrong;
    case Relevance::kJunk: return Role::kLeftOut;
    case Relevance::kEasy: return split == RevisitedSplit::kHard ? Role::kLeftOut : Role::kRight;
    case Relevance::kHard: return split == RevisitedSplit::kEasy ? Role::kLeftOut : Role::kRight;
  }
  return Role::kWrong;
}

void AddQuery(absl::Span<const Relevance> ranking, RevisitedSplit split, SplitScore& score) {
  const std::optional<double> precision = RevisitedPrecision(ranking, split);
  if (!precision.has_value()) return;
  // The running mean.
  ++score.queries;
  score.map += (*precision - score.map) / static_cast<double>(score.queries);
}

}  // namespace

std::optional<double> RevisitedPrecision(absl::Span<const Relevance> ranking, RevisitedSplit split) {
  std::vector<int64_t> ranks;
  int64_t position = 0;
  for (const Relevance relevance : ranking) {
    const Role role = RoleIn(split, relevance);
    if (role == Role::kLeftOut) continue;
    if (role == Role::kRight) ranks.push_back(position);
    ++position;
  }
  if (ranks.empty()) return std::nullopt;
  return base::TrapezoidalPrecision(ranks, static_cast<int64_t>(ranks.size()));
}

RevisitedScores ScoreRevisited(absl::Span<const float> similarities,
                               const std::vector<std::vector<Relevance>>& verdicts) {
  RevisitedScores scores;
  std::vector<size_t> order;
  std::vector<Relevance> ranking;
  for (size_t q = 0; q < verdicts.size(); ++q) {
    const std::vector<Relevance>& of_query = verdicts[q];
    const absl::Span<const float> row = similarities.subspan(q * of_query.size(), of_query.size());
    order.resize(of_query.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [row](size_t a, size_t b) { return row[a] > row[b]; });
    ranking.clear();
    for (const size_t image : order) ranking.push_back(of_query[image]);
    AddQuery(ranking, RevisitedSplit::kEasy, scores.easy);
    AddQuery(ranking, RevisitedSplit::kMedium, scores.medium);
    AddQuery(ranking, RevisitedSplit::kHard, scores.hard);
  }
  return scores;
}

}  // namespace sightline::train
