#include "tests/bench/ranking.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/for_each.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "index/rerank/shortlist.h"

namespace sightline::bench {
namespace {

namespace rerank = index::rerank;

double Mean(absl::Span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

absl::StatusOr<std::vector<Ranked>> RerankOne(const Picture& query, const std::vector<Picture>& database,
                                              const std::vector<Ranked>& ranking, size_t shortlist,
                                              const rerank::TransportOptions& options) {
  shortlist = std::min(shortlist, ranking.size());
  std::vector<rerank::Candidate> candidates;
  for (size_t i = 0; i < shortlist; ++i) {
    candidates.push_back({.score = ranking[i].score, .tokens = &database[static_cast<size_t>(ranking[i].item)].tokens});
  }
  const rerank::QueryPatches patches{.patches = {.tokens = &query.tokens}};
  rerank::ShortlistOptions shortlist_options;
  shortlist_options.transport = options;
  SIGHTLINE_ASSIGN_OR_RETURN(const rerank::ShortlistResult result,
                             rerank::RerankShortlist({patches}, candidates, shortlist_options));
  std::vector<Ranked> out = ranking;
  for (size_t i = 0; i < shortlist; ++i) out[i] = ranking[static_cast<size_t>(result.order[i])];
  return out;
}

bool Contains(const std::vector<int>& items, int item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

}  // namespace

Rankings RankBy(size_t queries, size_t database, const std::function<double(size_t query, size_t item)>& score) {
  Rankings rankings(queries);
  base::ForEach(queries, base::Processors(), [&](size_t q, size_t) {
    for (size_t i = 0; i < database; ++i) rankings[q].push_back({static_cast<int>(i), score(q, i)});
    std::stable_sort(rankings[q].begin(), rankings[q].end(),
                     [](const Ranked& a, const Ranked& b) { return a.score > b.score; });
    return absl::OkStatus();
  }).IgnoreError();  // the work has no failures
  return rankings;
}

Rankings RankByCosine(const std::vector<Picture>& queries, const std::vector<Picture>& database) {
  return RankBy(queries.size(), database.size(), [&](size_t q, size_t i) {
    return std::inner_product(queries[q].descriptor.begin(), queries[q].descriptor.end(),
                              database[i].descriptor.begin(), 0.0);
  });
}

absl::StatusOr<Rankings> RerankBest(const std::vector<Picture>& queries, const std::vector<Picture>& database,
                                    const Rankings& rankings, size_t shortlist,
                                    const rerank::TransportOptions& options) {
  Rankings out(rankings.size());
  SIGHTLINE_RETURN_IF_ERROR(base::ForEach(rankings.size(), base::Processors(), [&](size_t q, size_t) -> absl::Status {
    SIGHTLINE_ASSIGN_OR_RETURN(out[q], RerankOne(queries[q], database, rankings[q], shortlist, options));
    return absl::OkStatus();
  }));
  return out;
}

Rankings WithoutIgnored(Rankings rankings, const Relevance& relevance) {
  for (size_t q = 0; q < relevance.ignored.size(); ++q) {
    std::erase_if(rankings[q], [&](const Ranked& result) { return Contains(relevance.ignored[q], result.item); });
  }
  return rankings;
}

double RankingQuality::mean_average_precision() const { return Mean(average_precision); }

RankingQuality Judge(const Relevance& relevance, const Rankings& rankings, Precision precision) {
  RankingQuality quality;
  for (size_t q = 0; q < rankings.size(); ++q) {
    const std::vector<int>& positives = relevance.positives[q];
    if (positives.empty()) continue;
    std::vector<int64_t> ranks;
    for (size_t i = 0; i < rankings[q].size(); ++i) {
      if (Contains(positives, rankings[q][i].item)) ranks.push_back(static_cast<int64_t>(i));
    }
    const auto count = static_cast<int64_t>(positives.size());
    quality.average_precision.push_back(precision == Precision::kPlain ? base::AveragePrecision(ranks, count)
                                                                       : base::TrapezoidalPrecision(ranks, count));
    quality.recall_at_1 += base::RecallAt(ranks, 1);
  }
  quality.recall_at_1 /= static_cast<double>(quality.average_precision.size());
  return quality;
}

double StandardErrorOfDifference(absl::Span<const double> a, absl::Span<const double> b) {
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  const double mean = Mean(difference);
  double square = 0;
  for (const double value : difference) square += (value - mean) * (value - mean);
  const auto count = static_cast<double>(a.size());
  return count < 2 ? 0 : std::sqrt(square / (count - 1) / count);
}

}  // namespace sightline::bench
