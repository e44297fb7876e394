#include "client/cli/evaluate/score.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sightline::cli {
namespace {

constexpr size_t kMostExamples = 4;

std::optional<Grade> GradeOf(const BenchQuery& query, int32_t image) {
  const auto found = std::lower_bound(query.judged.begin(), query.judged.end(), image,
                                      [](const Judged& judged, int32_t wanted) { return judged.image < wanted; });
  if (found == query.judged.end() || found->image != image) return std::nullopt;
  return found->grade;
}

std::vector<const RankedImage*> Kept(const Benchmark& benchmark, const BenchQuery& query, const BenchSplit& split,
                                     const Ranking& ranking, int64_t shortlist) {
  std::vector<const RankedImage*> kept;
  kept.reserve(ranking.size());
  for (const RankedImage& result : ranking) {
    if (result.image >= 0) {
      if (!benchmark.groups.empty() && benchmark.groups[static_cast<size_t>(result.image)] != query.group) continue;
      const std::optional<Grade> grade = GradeOf(query, result.image);
      if (grade && Holds(split.ignored, *grade)) continue;
    }
    kept.push_back(&result);
  }
  if (shortlist == 0) return kept;
  std::stable_sort(kept.begin(), kept.end(),
                   [](const RankedImage* a, const RankedImage* b) { return a->rank_before < b->rank_before; });
  const auto end = kept.begin() + std::min<int64_t>(shortlist, static_cast<int64_t>(kept.size()));
  // What was not re-ranked, for lack of time or tokens, stands below what was.
  std::stable_sort(kept.begin(), end, [](const RankedImage* a, const RankedImage* b) {
    if (!a->rerank_score || !b->rerank_score) return a->rerank_score.has_value() && !b->rerank_score.has_value();
    return *a->rerank_score > *b->rerank_score;
  });
  return kept;
}

ScoreCounts CountScores(const std::vector<const RankedImage*>& results, const std::vector<bool>& right) {
  ScoreCounts counts;
  counts.by_confidence = !results.empty() && std::all_of(results.begin(), results.end(), [](const RankedImage* result) {
    return result->confidence.has_value();
  });
  double best = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < results.size(); ++i) {
    const double score = counts.by_confidence ? *results[i]->confidence : results[i]->score;
    // What 0.29 is as a double must not put it below 0.29.
    ScoreCounts::Bin& bin = counts.bins[static_cast<int>(std::floor(100 * std::clamp(score, -1.0, 1.0) + 1e-6))];
    ++(right[i] ? bin.right : bin.wrong);
    if (score > best) {
      best = score;
      counts.best_right = right[i];
    }
  }
  return counts;
}

}  // namespace

QueryOutcome ScoreQuery(const Benchmark& benchmark, const BenchQuery& query, const Ranking& ranking,
                        int64_t shortlist) {
  QueryOutcome outcome;
  for (size_t s = 0; s < benchmark.splits.size(); ++s) {
    const BenchSplit& split = benchmark.splits[s];
    const bool main = s == benchmark.main_split;
    const bool asked = split.part.empty() || split.part == query.part;
    QueryScore score;
    for (const Judged& judged : query.judged) score.positives += Holds(split.right, judged.grade) ? 1 : 0;
    score.counted = score.positives > 0 && asked;
    if (score.counted || (asked && main)) {
      const std::vector<const RankedImage*> kept = Kept(benchmark, query, split, ranking, shortlist);
      std::vector<bool> right;
      std::vector<int64_t> ranks;
      for (const RankedImage* result : kept) {
        const std::optional<Grade> grade = result->image < 0 ? std::nullopt : GradeOf(query, result->image);
        right.push_back(grade && Holds(split.right, *grade));
        if (right.back()) ranks.push_back(static_cast<int64_t>(right.size()) - 1);
        std::vector<Example>& examples = right.back() ? outcome.right : outcome.wrong;
        if (main && examples.size() < kMostExamples) {
          examples.push_back({result->id, static_cast<int64_t>(right.size())});
        }
      }
      if (main) outcome.scores = CountScores(kept, right);
      if (score.counted) {
        score.found = static_cast<int64_t>(ranks.size());
        for (const BenchMeasure& measure : benchmark.measures) {
          score.values.push_back(measure.of(ranks, score.positives));
        }
      }
    }
    outcome.splits.push_back(std::move(score));
  }
  return outcome;
}

std::vector<SplitScore> Mean(const Benchmark& benchmark, const std::vector<QueryOutcome>& outcomes) {
  std::vector<SplitScore> means;
  for (size_t s = 0; s < benchmark.splits.size(); ++s) {
    SplitScore mean;
    mean.means.assign(benchmark.measures.size(), 0);
    for (size_t q = 0; q < outcomes.size(); ++q) {
      const QueryScore& score = outcomes[q].splits[s];
      const std::string& part = benchmark.splits[s].part;
      if (!score.counted) {
        mean.excluded += part.empty() || part == benchmark.queries[q].part ? 1 : 0;
        continue;
      }
      ++mean.queries;
      mean.positives += score.positives;
      mean.not_found += score.positives - score.found;
      for (size_t m = 0; m < mean.means.size(); ++m) mean.means[m] += score.values[m];
    }
    for (double& value : mean.means) value = mean.queries == 0 ? 0 : value / static_cast<double>(mean.queries);
    means.push_back(std::move(mean));
  }
  return means;
}

}  // namespace sightline::cli
