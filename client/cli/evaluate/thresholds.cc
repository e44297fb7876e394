#include "client/cli/evaluate/thresholds.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace sightline::cli {
namespace {

// Hundredths. A confidence means the same everywhere; where cosines lie is each model's own.
constexpr int kConfidences[] = {50, 60, 70, 80, 90, 95, 99};
constexpr int kSteps[] = {1, 2, 5, 10, 20};
constexpr int kMostRows = 12;

// Of all queries together.
struct Sums {
  std::map<int, ScoreCounts::Bin> bins;
  std::map<int, ScoreCounts::Bin> best;  // queries, by their highest score
  int64_t queries = 0;
  int64_t positives = 0;
};

// From below the worst right result up to the best result.
std::vector<int> LeastCosines(const Sums& sums) {
  const auto lowest =
      std::find_if(sums.bins.begin(), sums.bins.end(), [](const auto& bin) { return bin.second.right > 0; });
  if (lowest == sums.bins.end()) return {};
  const int low = lowest->first;
  const int high = sums.bins.rbegin()->first;
  int step = kSteps[0];
  for (const int next : kSteps) {
    step = next;
    if (high - low < (kMostRows - 1) * step) break;
  }
  const int first = (low + 100) / step * step - 100;  // rounded down, from -1 on
  std::vector<int> least;
  for (int at = first; at <= high; at += step) least.push_back(at);
  return least;
}

Threshold At(const Sums& sums, int least) {
  int64_t right = 0, results = 0, first_right = 0, answered = 0;
  for (auto bin = sums.bins.lower_bound(least); bin != sums.bins.end(); ++bin) {
    right += bin->second.right;
    results += bin->second.right + bin->second.wrong;
  }
  for (auto bin = sums.best.lower_bound(least); bin != sums.best.end(); ++bin) {
    first_right += bin->second.right;
    answered += bin->second.right + bin->second.wrong;
  }
  const auto share = [](int64_t part, int64_t whole) {
    return whole == 0 ? std::nullopt : std::optional(static_cast<double>(part) / static_cast<double>(whole));
  };
  return {.least = least / 100.0,
          .answered = share(answered, sums.queries).value_or(0),
          .first_right = share(first_right, answered),
          .precision = share(right, results),
          .recall = share(right, sums.positives).value_or(0)};
}

}  // namespace

Thresholds ThresholdsOf(const Benchmark& benchmark, const std::vector<QueryOutcome>& outcomes) {
  const std::string& part = benchmark.splits[benchmark.main_split].part;
  Sums sums;
  bool confident = false, cosine = false, found = false;
  for (size_t q = 0; q < outcomes.size(); ++q) {
    if (!part.empty() && benchmark.queries[q].part != part) continue;
    const ScoreCounts& counts = outcomes[q].scores;
    ++sums.queries;
    sums.positives += outcomes[q].splits[benchmark.main_split].positives;
    if (counts.bins.empty()) continue;
    (counts.by_confidence ? confident : cosine) = true;
    for (const auto& [score, bin] : counts.bins) {
      sums.bins[score].right += bin.right;
      sums.bins[score].wrong += bin.wrong;
      found = found || bin.right > 0;
    }
    ScoreCounts::Bin& best = sums.best[counts.bins.rbegin()->first];
    ++(counts.best_right ? best.right : best.wrong);
  }
  Thresholds thresholds{.by = confident ? "min_confidence" : "min_score", .queries = sums.queries, .rows = {}};
  // A confidence that came or went during the run: the two cannot be added up.
  if (!found || (confident && cosine)) return thresholds;
  const std::vector<int> least =
      confident ? std::vector<int>(std::begin(kConfidences), std::end(kConfidences)) : LeastCosines(sums);
  for (const int at : least) thresholds.rows.push_back(At(sums, at));
  return thresholds;
}

}  // namespace sightline::cli
