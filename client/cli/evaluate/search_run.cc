#include "client/cli/evaluate/search_run.h"

#include <algorithm>
#include <atomic>
#include <unordered_set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/parallel.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "client/cli/evaluate/files.h"
#include "client/cli/evaluate/rankings_file.h"
#include "client/cli/progress.h"

namespace sightline::cli {
namespace {

constexpr int64_t kMostPerPage = 1000;  // the API's most for top_k

// Images that a split takes out of the ranking of `query`, at most.
int64_t MostIgnored(const Benchmark& benchmark, const BenchQuery& query) {
  int64_t most = 0;
  for (const BenchSplit& split : benchmark.splits) {
    most = std::max<int64_t>(most, std::count_if(query.judged.begin(), query.judged.end(), [&](const Judged& judged) {
                               return Holds(split.ignored, judged.grade);
                             }));
  }
  return most;
}

class Searches {
 public:
  Searches(client::Client& client, const Benchmark& benchmark, const std::vector<std::string>& pictures,
           const SearchPlan& plan, const SearchRunOptions& options)
      : client_(client), benchmark_(benchmark), names_(benchmark), pictures_(pictures), plan_(plan), options_(options) {
    result_.outcomes.resize(pictures.size());
    if (options.keep_lines) result_.lines.resize(pictures.size());
  }

  // Searches for one query; any thread.
  absl::Status Search(size_t q) {
    const BenchQuery& query = benchmark_.queries[q];
    absl::Status status = SearchOne(q, query);
    if (status.ok()) return status;
    return base::Error(status.code(), base::GetErrorInfo(status).reason,
                       absl::StrCat("the query ", query.name, ": ", status.message()));
  }

  SearchRunResult Finish() {
    base::MutexLock lock(mutex_);
    for (auto& [stage, milliseconds] : result_.milliseconds) {
      milliseconds /= static_cast<double>(std::max<size_t>(1, result_.outcomes.size()));
    }
    return std::move(result_);
  }

 private:
  absl::Status SearchOne(size_t q, const BenchQuery& query) {
    client::Query image = client::Query::ImageFile(pictures_[q]);
    if (query.box) image.Crop(query.box->x0, query.box->y0, query.box->x1, query.box->y1, v1::CropBox::UNIT_PIXEL);
    v1::SearchRequest request = plan_.request;
    SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_query(), image.Build(options_.max_image_bytes));
    const int64_t ignored = MostIgnored(benchmark_, query);
    int64_t wanted = std::min(options_.images, kMostResults);
    if (plan_.depth > 0) wanted = std::min(wanted, plan_.depth + ignored);
    const int64_t shortlist = std::min(kMostShortlist, plan_.shortlist + ignored);
    if (plan_.shortlist > 0) {
      request.mutable_rerank()->set_shortlist(static_cast<int32_t>(shortlist));
      wanted = std::max(wanted, std::min(shortlist, options_.images));
    }
    Ranking ranking;
    std::unordered_set<std::string> seen;
    int64_t offset = 0;
    std::string degraded;
    do {
      request.set_offset(static_cast<int32_t>(offset));
      request.set_top_k(static_cast<int32_t>(std::clamp<int64_t>(wanted - offset, 1, kMostPerPage)));
      if (offset > 0) {
        // The shortlist is within the first page.
        request.clear_rerank();
        request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OFF);
      }
      SIGHTLINE_ASSIGN_OR_RETURN(const v1::SearchResponse response, client_.Search(request));
      Take(response, &seen, &ranking);
      if (offset == 0) Note(response.stats());
      if (response.stats().degraded()) degraded = DegradedReason(response.stats());
      offset += response.results_size();
      if (response.results_size() < request.top_k()) break;
    } while (offset < wanted);
    const QueryOutcome outcome = ScoreQuery(benchmark_, query, ranking, plan_.shortlist);
    std::string lines = options_.keep_lines ? RankingLines(query.name, ranking) : "";
    base::MutexLock lock(mutex_);
    if (options_.keep_lines) result_.lines[q] = std::move(lines);
    if (plan_.shortlist > 0 && shortlist < plan_.shortlist + ignored) ++result_.clipped;
    if (!degraded.empty()) {
      ++result_.degraded;
      result_.degraded_reason = std::move(degraded);
    }
    for (const RankedImage& found : ranking) {
      if (found.image < 0 && !benchmark_.open && !absl::StartsWith(found.id, kDistractorPrefix)) ++result_.unknown;
    }
    result_.outcomes[q] = outcome;
    return absl::OkStatus();
  }

  // Pages are searches of their own, and a graph may find a little else each time: what a page before had stays there.
  void Take(const v1::SearchResponse& response, std::unordered_set<std::string>* seen, Ranking* ranking) const {
    for (const v1::SearchResult& result : response.results()) {
      if (!seen->insert(result.id()).second) continue;
      RankedImage found{.id = result.id(), .score = result.score(), .rank_before = result.rank_before_rerank()};
      if (!absl::StartsWith(result.id(), kDistractorPrefix)) found.image = names_.Find(result.id());
      if (found.rank_before == 0) found.rank_before = result.rank();
      if (result.has_confidence()) found.confidence = result.confidence();
      if (result.has_rerank_score()) found.rerank_score = result.rerank_score();
      ranking->push_back(std::move(found));
    }
  }

  static std::string DegradedReason(const v1::SearchStats& stats) {
    return stats.degraded_reasons().empty() ? "the server does not say why." : stats.degraded_reasons(0);
  }

  void Note(const v1::SearchStats& stats) {
    base::MutexLock lock(mutex_);
    result_.stats = stats;
    for (const auto& stage : stats.stages()) result_.milliseconds[stage.stage()] += stage.milliseconds();
  }

  client::Client& client_;
  const Benchmark& benchmark_;
  const ImageNames names_;
  const std::vector<std::string>& pictures_;
  const SearchPlan& plan_;
  const SearchRunOptions& options_;
  base::Mutex mutex_;
  SearchRunResult result_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<SearchRunResult> RunSearches(Context& context, client::Client& client, const Benchmark& benchmark,
                                            const std::vector<std::string>& pictures, const SearchPlan& plan,
                                            const SearchRunOptions& options) {
  Searches searches(client, benchmark, pictures, plan, options);
  Progress progress({.out = context.err,
                     .clock = context.clock,
                     .terminal = context.err_is_terminal,
                     .columns = context.columns,
                     .total = static_cast<int64_t>(pictures.size())});
  std::atomic<size_t> next = 0;
  std::atomic<int64_t> done = 0;
  std::atomic<bool> stop = false;
  base::Mutex mutex;
  absl::Status failure;  // the first; guarded by mutex
  {
    base::ThreadPool pool({.name = "evaluate", .threads = std::max(1, options.in_flight - 1), .on_thread_start = {}});
    base::ParallelFor(&pool, options.in_flight, [&](int part) {
      while (!stop) {
        const size_t q = next++;
        if (q >= pictures.size()) return;
        const absl::Status status = searches.Search(q);
        ++done;
        if (!status.ok()) {
          base::MutexLock lock(mutex);
          failure.Update(status);
          stop = true;
        }
        // The calling thread's part: what it writes is not mixed with that of others.
        if (part == 0) {
          progress.Update({.done = done});
          if (context.interrupted && context.interrupted()) stop = true;
        }
      }
    });
  }
  // However it ended: what follows begins on a line of its own.
  progress.Update({.done = done});
  progress.Finish();
  if (!failure.ok()) return failure;
  if (context.interrupted && context.interrupted()) {
    return base::Error(absl::StatusCode::kCancelled, "INTERRUPTED", "the evaluation was interrupted. Run it again.");
  }
  return searches.Finish();
}

}  // namespace sightline::cli
