#include "tests/bench/ranking.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <numeric>
#include <thread>

#include "base/mutex.h"
#include "base/status.h"
#include "index/rerank/shortlist.h"

namespace sightline::bench {
namespace {

namespace rerank = index::rerank;

double Mean(absl::Span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Calls work(i) for every i below `count`, on every processor.
void ForEach(size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads(std::max(1u, std::thread::hardware_concurrency()));
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      for (size_t i = next++; i < count; i = next++) work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

absl::StatusOr<std::vector<Ranked>> RerankOne(const Picture& query, const std::vector<Picture>& database,
                                              const std::vector<Ranked>& ranking, size_t shortlist,
                                              const rerank::TransportOptions& options) {
  shortlist = std::min(shortlist, ranking.size());
  std::vector<rerank::Candidate> candidates;
  for (size_t i = 0; i < shortlist; ++i) {
    candidates.push_back(
        {.score = ranking[i].cosine, .tokens = &database[static_cast<size_t>(ranking[i].item)].tokens});
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

}  // namespace

Rankings RankByCosine(const std::vector<Picture>& queries, const std::vector<Picture>& database) {
  Rankings rankings(queries.size());
  ForEach(queries.size(), [&](size_t q) {
    for (size_t i = 0; i < database.size(); ++i) {
      rankings[q].push_back(
          {static_cast<int>(i), std::inner_product(queries[q].descriptor.begin(), queries[q].descriptor.end(),
                                                   database[i].descriptor.begin(), 0.0)});
    }
    std::stable_sort(rankings[q].begin(), rankings[q].end(),
                     [](const Ranked& a, const Ranked& b) { return a.cosine > b.cosine; });
  });
  return rankings;
}

absl::StatusOr<Rankings> RerankBest(const std::vector<Picture>& queries, const std::vector<Picture>& database,
                                    const Rankings& rankings, size_t shortlist,
                                    const rerank::TransportOptions& options) {
  Rankings out(rankings.size());
  base::Mutex mutex;
  absl::Status first_failure;
  ForEach(rankings.size(), [&](size_t q) {
    absl::StatusOr<std::vector<Ranked>> ranking = RerankOne(queries[q], database, rankings[q], shortlist, options);
    if (ranking.ok()) {
      out[q] = *std::move(ranking);
    } else {
      base::MutexLock lock(mutex);
      first_failure.Update(ranking.status());
    }
  });
  SIGHTLINE_RETURN_IF_ERROR(first_failure);
  return out;
}

double RankingQuality::mean_average_precision() const { return Mean(average_precision); }

RankingQuality Judge(const std::vector<Picture>& queries, const std::vector<Picture>& database,
                     const Rankings& rankings) {
  RankingQuality quality;
  for (size_t q = 0; q < queries.size(); ++q) {
    std::vector<bool> relevant;
    for (const Ranked& result : rankings[q]) {
      relevant.push_back(database[static_cast<size_t>(result.item)].object == queries[q].object);
    }
    quality.average_precision.push_back(AveragePrecision(relevant));
    quality.recall_at_1 += relevant.front() ? 1 : 0;
  }
  quality.recall_at_1 /= static_cast<double>(queries.size());
  return quality;
}

double AveragePrecision(const std::vector<bool>& relevant) {
  double found = 0, precision = 0;
  for (size_t i = 0; i < relevant.size(); ++i) {
    if (!relevant[i]) continue;
    found += 1;
    precision += found / static_cast<double>(i + 1);
  }
  return found == 0 ? 0 : precision / found;
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
