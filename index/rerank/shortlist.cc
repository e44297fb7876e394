#include "index/rerank/shortlist.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/parallel.h"
#include "base/status.h"

namespace sightline::index::rerank {
namespace {

// A portion is what may pass between two looks at the clock, and what a late answer may be late by.
constexpr double kPortionMilliseconds = 4;
constexpr size_t kMostGrowth = 4;  // of a portion over the one before it: the first are small and time them badly
// Similarities are about a third of the work. Bounds that leave out less than this share of a portion cost more than
// they save, and are tried again only after a few portions.
constexpr double kUsefulShare = 0.35;
constexpr int kPortionsWithoutBounds = 4;
// Bounds and scores are rounded differently. Also how far above 1 S_struct can be, whose weights sum to 1 and cosines
// reach 1.
constexpr double kRounding = 1e-5;

// The first for a device, and the least: a call to it costs as much as a few pairs.
constexpr size_t kDevicePortion = 100;

// Of a portion, per thread: when one thread is late, the others take what it has not.
constexpr size_t kPiecesPerThread = 4;

size_t ThreadsOf(const base::ThreadPool* pool) { return pool == nullptr ? 1 : static_cast<size_t>(pool->threads()); }

class Reranker {
 public:
  Reranker(absl::Span<const QueryPatches> query, absl::Span<const Candidate> candidates,
           const ShortlistOptions& options)
      : parts_(query), candidates_(candidates), options_(options), left_out_(candidates.size()) {
    result_.structural.resize(candidates.size());
  }

  absl::Status Prepare() {
    for (const QueryPatches& part : parts_) {
      SIGHTLINE_ASSIGN_OR_RETURN(TransportQuery query, TransportQuery::Make(part.patches, options_.transport));
      queries_.push_back(std::move(query));
      total_weight_ += std::abs(part.weight);
    }
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (candidates_[i].tokens != nullptr) {
        waiting_.push_back(i);
      } else {
        ++result_.without_tokens;
      }
    }
    return absl::OkStatus();
  }

  absl::Status Run() {
    // The rule of the reference code looks at all candidates at once.
    const bool together = options_.transport.stop == StopRule::kReference;
    TransportDevice* device = together ? nullptr : options_.device;
    const size_t threads = ThreadsOf(options_.pool);
    size_t portion = together ? waiting_.size() : device != nullptr ? kDevicePortion : 2 * threads;
    while (true) {
      const std::vector<size_t> next = TakePortion(portion);
      if (next.empty() && left_by_device_.empty()) return absl::OkStatus();
      if (next.empty()) {
        device = nullptr;
        waiting_ = std::exchange(left_by_device_, {});
        taken_ = 0;
        portion = 2 * threads;
        continue;
      }
      if (options_.cancelled && options_.cancelled()) {
        return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                           "the search was cancelled while its results were re-ranked. Send it again.");
      }
      if (options_.out_of_time && options_.out_of_time()) {
        result_.ran_out_of_time = true;
        return absl::OkStatus();
      }
      const base::Clock::Ticks start = base::Clock::Real().Steady();
      if (device == nullptr) {
        SIGHTLINE_RETURN_IF_ERROR(together ? ScoreTogether(next) : ScorePortion(next));
      } else if (!ScoreOnDevice(*device, next)) {
        // All of it waits again, for the CPU in its own portions.
        device = nullptr;
        waiting_.insert(waiting_.begin() + static_cast<std::ptrdiff_t>(taken_), next.begin(), next.end());
        portion = 2 * threads;
        continue;
      }
      const double each =
          base::MillisecondsBetween(start, base::Clock::Real().Steady()) / static_cast<double>(next.size());
      const double fitting = std::min(kPortionMilliseconds / std::max(each, 1e-6), 1e6);
      portion =
          std::clamp(static_cast<size_t>(fitting), device != nullptr ? kDevicePortion : threads, portion * kMostGrowth);
    }
  }

  // Those scored by their new score, those that cannot be among the best, then those of which nothing is known.
  ShortlistResult Finish() {
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (result_.structural[i]) result_.order.push_back(static_cast<int>(i));
    }
    std::stable_sort(result_.order.begin(), result_.order.end(),
                     [this](int a, int b) { return Total(static_cast<size_t>(a)) > Total(static_cast<size_t>(b)); });
    for (const bool left_out : {true, false}) {
      for (size_t i = 0; i < candidates_.size(); ++i) {
        if (!result_.structural[i] && left_out_[i] == left_out) result_.order.push_back(static_cast<int>(i));
      }
    }
    return std::move(result_);
  }

 private:
  double Total(size_t i) const { return candidates_[i].score + options_.weight * *result_.structural[i]; }

  // Whether `i`, with no more than `structural`, comes behind `keep` others. A tie would go to the earlier ones.
  bool CannotCome(size_t i, double structural) const {
    if (options_.keep == 0 || best_.size() < static_cast<size_t>(options_.keep)) return false;
    return candidates_[i].score + options_.weight * (structural + kRounding) < best_.top();
  }

  void LeaveOut(size_t i) {
    left_out_[i] = true;
    ++result_.scored;
  }

  // The next `most` that could be among the best if their patches matched perfectly.
  std::vector<size_t> TakePortion(size_t most) {
    std::vector<size_t> portion;
    for (; taken_ < waiting_.size() && portion.size() < most; ++taken_) {
      if (CannotCome(waiting_[taken_], 1)) {
        LeaveOut(waiting_[taken_]);
      } else {
        portion.push_back(waiting_[taken_]);
      }
    }
    return portion;
  }

  std::vector<Patches> PatchesOf(absl::Span<const size_t> places) const {
    std::vector<Patches> patches;
    for (const size_t place : places) patches.push_back({.tokens = candidates_[place].tokens});
    return patches;
  }

  // body(some of `places`, their values), until all have one; on several threads.
  template <typename Body>
  absl::StatusOr<std::vector<double>> Spread(absl::Span<const size_t> places, const Body& body) const {
    const size_t threads = std::min(places.size(), ThreadsOf(options_.pool));
    const size_t most = places.size() / std::max<size_t>(threads * kPiecesPerThread, 1) + 1;
    std::vector<double> values(places.size());
    std::vector<absl::Status> statuses(threads);
    std::atomic<size_t> next = 0;
    base::ParallelFor(options_.pool, static_cast<int>(threads), [&](int thread) {
      absl::Status& status = statuses[static_cast<size_t>(thread)];
      for (size_t begin = next.fetch_add(most); begin < places.size() && status.ok(); begin = next.fetch_add(most)) {
        const size_t count = std::min(most, places.size() - begin);
        status = body(PatchesOf(places.subspan(begin, count)), absl::MakeSpan(values).subspan(begin, count));
      }
    });
    for (const absl::Status& status : statuses) SIGHTLINE_RETURN_IF_ERROR(status);
    return values;
  }

  // Adds each part's share of S_struct to `values`.
  absl::Status AddStructural(absl::Span<const Patches> patches, absl::Span<double> values) const {
    for (size_t q = 0; q < queries_.size(); ++q) {
      SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<TransportScore> scores, queries_[q].Score(patches));
      for (size_t i = 0; i < scores.size(); ++i) {
        values[i] += parts_[q].weight / total_weight_ * scores[i].structural;
      }
    }
    return absl::OkStatus();
  }

  // The same of what it cannot exceed: a part that counts against a result takes off least where S_struct is -1.
  absl::Status AddBounds(absl::Span<const Patches> patches, absl::Span<double> values) const {
    for (size_t q = 0; q < queries_.size(); ++q) {
      const double share = parts_[q].weight / total_weight_;
      if (share < 0) {
        for (size_t i = 0; i < patches.size(); ++i) values[i] -= share;
        continue;
      }
      SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<double> bounds, queries_[q].UpperBounds(patches));
      for (size_t i = 0; i < bounds.size(); ++i) values[i] += share * bounds[i];
    }
    return absl::OkStatus();
  }

  void Keep(size_t i, double structural) {
    result_.structural[i] = structural;
    ++result_.scored;
    if (options_.keep == 0) return;
    best_.push(Total(i));
    if (best_.size() > static_cast<size_t>(options_.keep)) best_.pop();
  }

  absl::StatusOr<std::vector<size_t>> WithoutHopeless(std::vector<size_t> portion) {
    const bool full = options_.keep > 0 && best_.size() == static_cast<size_t>(options_.keep);
    if (!full || portions_without_bounds_-- > 0) return portion;
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<double> bounds,
                               Spread(portion, [this](absl::Span<const Patches> patches, absl::Span<double> values) {
                                 return AddBounds(patches, values);
                               }));
    std::vector<size_t> hopeful;
    for (size_t i = 0; i < portion.size(); ++i) {
      if (CannotCome(portion[i], bounds[i])) {
        LeaveOut(portion[i]);
      } else {
        hopeful.push_back(portion[i]);
      }
    }
    const double share = 1 - static_cast<double>(hopeful.size()) / static_cast<double>(portion.size());
    portions_without_bounds_ = share < kUsefulShare ? kPortionsWithoutBounds : 0;
    return hopeful;
  }

  absl::Status ScorePortion(std::vector<size_t> portion) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<size_t> places, WithoutHopeless(std::move(portion)));
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<double> structural,
                               Spread(places, [this](absl::Span<const Patches> patches, absl::Span<double> values) {
                                 return AddStructural(patches, values);
                               }));
    for (size_t i = 0; i < places.size(); ++i) Keep(places[i], structural[i]);
    return absl::OkStatus();
  }

  absl::Status ScoreTogether(absl::Span<const size_t> places) {
    std::vector<double> structural(places.size());
    SIGHTLINE_RETURN_IF_ERROR(AddStructural(PatchesOf(places), absl::MakeSpan(structural)));
    for (size_t i = 0; i < places.size(); ++i) Keep(places[i], structural[i]);
    return absl::OkStatus();
  }

  // False where the device failed, which it has said itself.
  bool ScoreOnDevice(TransportDevice& device, absl::Span<const size_t> places) {
    const std::vector<Patches> patches = PatchesOf(places);
    std::vector<double> structural(places.size());
    std::vector<bool> left(places.size());
    for (size_t q = 0; q < queries_.size(); ++q) {
      const auto scores = device.Score(queries_[q], patches);
      if (!scores.ok()) return false;
      for (size_t i = 0; i < places.size(); ++i) {
        const std::optional<TransportScore>& score = (*scores)[i];
        if (score) structural[i] += parts_[q].weight / total_weight_ * score->structural;
        if (!score) left[i] = true;
      }
    }
    for (size_t i = 0; i < places.size(); ++i) {
      if (left[i]) {
        left_by_device_.push_back(places[i]);
      } else {
        Keep(places[i], structural[i]);
      }
    }
    return true;
  }

  const absl::Span<const QueryPatches> parts_;
  const absl::Span<const Candidate> candidates_;
  const ShortlistOptions& options_;
  std::vector<TransportQuery> queries_;  // one for each part
  double total_weight_ = 0;              // sum of |weight| of the parts
  std::vector<size_t> waiting_;          // candidates with tokens
  size_t taken_ = 0;                     // of those
  std::vector<size_t> left_by_device_;   // that it has no score for
  std::vector<bool> left_out_;
  std::priority_queue<double, std::vector<double>, std::greater<>> best_;  // of the best `keep`; the least on top
  int portions_without_bounds_ = 0;
  ShortlistResult result_;
};

absl::Status ShortlistError(absl::string_view message) { return base::InvalidArgument("SHORTLIST_INVALID", message); }

absl::Status CheckShortlist(absl::Span<const QueryPatches> query, absl::Span<const Candidate> candidates,
                            const ShortlistOptions& options) {
  if (query.empty()) return ShortlistError("the query has no patches. Pass at least one part of it.");
  double total = 0;
  for (const QueryPatches& part : query) total += std::abs(part.weight);
  if (!std::isfinite(total) || total == 0) {
    return ShortlistError(absl::StrCat("the weights of the query's parts sum to ", total,
                                       " without their signs; the sum must be finite and above 0. Choose others."));
  }
  if (!(options.weight >= 0) || std::isinf(options.weight)) {
    return ShortlistError(absl::StrCat("the weight of the structural score is ", options.weight,
                                       "; it must be finite and at least 0. Choose another."));
  }
  if (options.keep < 0) {
    return ShortlistError(absl::StrCat("keep is ", options.keep, "; it must be 0 (all) or more. Choose another."));
  }
  for (const Candidate& candidate : candidates) {
    if (!std::isfinite(candidate.score)) {
      return ShortlistError(absl::StrCat("a candidate's score is ", candidate.score,
                                         "; scores must be finite. Pass them as the search gave them."));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ShortlistResult> RerankShortlist(absl::Span<const QueryPatches> query,
                                                absl::Span<const Candidate> candidates,
                                                const ShortlistOptions& options) {
  SIGHTLINE_RETURN_IF_ERROR(CheckShortlist(query, candidates, options));
  Reranker reranker(query, candidates, options);
  SIGHTLINE_RETURN_IF_ERROR(reranker.Prepare());
  SIGHTLINE_RETURN_IF_ERROR(reranker.Run());
  return reranker.Finish();
}

}  // namespace sightline::index::rerank
