#include "index/collection_search.h"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "index/filter/filter_parser.h"
#include "index/filter/group.h"
#include "index/kernels/inner_product.h"
#include "index/rerank/k_reciprocal.h"
#include "index/rerank/query_expansion.h"
#include "index/rerank/super_global.h"
#include "index/validate.h"

namespace sightline::index {
namespace {

constexpr int kMaxSearchResults = 10'000;
constexpr int kMaxEfSearch = 10'000;
constexpr int kMaxProbes = 65'536;
constexpr int kMaxNeighbours = 1'000;
constexpr int kMaxGroupSize = 1'000;
absl::Status OutOfRange(absl::string_view field, absl::string_view value, absl::string_view limits) {
  return base::InvalidArgument(
      "OUT_OF_RANGE", absl::StrCat(field, " is ", value, "; it must be ", limits, ". Choose one in that range."),
      {{"field", std::string(field)}, {"actual", std::string(value)}});
}

absl::Status CheckRange(absl::string_view field, int value, int low, int high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return OutOfRange(field, absl::StrCat(value), absl::StrCat(low, " to ", high));
}

}  // namespace

size_t CollectionSearch::EffortOf(const SearchQuery& query) const {
  const std::optional<int>& asked = config_.index_kind == IndexKind::kIvf ? query.nprobe : query.ef_search;
  return static_cast<size_t>(asked.value_or(0));
}

CollectionSearch::CollectionSearch(const CollectionConfig& config, SegmentList::Moment moment, IndexPolicy& policy,
                                   base::ThreadPool* pool)
    : config_(config), moment_(std::move(moment)), policy_(policy), pool_(pool) {}

absl::Status CollectionSearch::Check(const SearchQuery& query) const {
  if (query.top_k < 1 || query.offset < 0 || static_cast<int64_t>(query.offset) + query.top_k > kMaxSearchResults) {
    return base::InvalidArgument("TOP_K_INVALID",
                                 absl::StrCat("offset is ", query.offset, " and top_k is ", query.top_k,
                                              "; top_k must be at least 1 and their sum at most ", kMaxSearchResults,
                                              ". Ask for fewer results."),
                                 {{"limit", absl::StrCat(kMaxSearchResults)}});
  }
  if (query.min_score && !(*query.min_score >= -1 && *query.min_score <= 1)) {
    return base::InvalidArgument("MIN_SCORE_INVALID", absl::StrCat("min_score is ", *query.min_score,
                                                                   "; it must be -1 to 1. Choose one in that range."));
  }
  if (!query.group_by.empty()) {
    if (!IsAttributeKey(query.group_by)) {
      return base::InvalidArgument("GROUP_BY_INVALID",
                                   "group_by is not an attribute's key: 1 to 64 letters, digits, '_', '-' and '.', "
                                   "starting with a letter. Name the attribute to group by.",
                                   {{"field", "group_by"}});
    }
    SIGHTLINE_RETURN_IF_ERROR(CheckRange("group_size", query.group_size, 1, kMaxGroupSize));
  }
  if (query.ef_search) SIGHTLINE_RETURN_IF_ERROR(CheckRange("ef_search", *query.ef_search, 1, kMaxEfSearch));
  if (query.nprobe) SIGHTLINE_RETURN_IF_ERROR(CheckRange("nprobe", *query.nprobe, 1, kMaxProbes));
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("neighbours", query.refinement.neighbours, 0, kMaxNeighbours));
  if (!(query.refinement.alpha >= 0 && query.refinement.alpha <= 10)) {
    return OutOfRange("alpha", absl::StrCat(query.refinement.alpha), "0 to 10");
  }
  return absl::OkStatus();
}

absl::Status CollectionSearch::ApplyFilter(const SearchQuery& query) {
  for (const auto& segment : *moment_.segments) outcome_.images += segment->live();
  SIGHTLINE_ASSIGN_OR_RETURN(const Filter filter, ParseFilter(query.filter));
  outcome_.matching = outcome_.images;
  if (filter.takes_all()) return absl::OkStatus();
  outcome_.matching = 0;
  for (size_t i = 0; i < moment_.segments->size(); ++i) {
    const Segment& segment = *(*moment_.segments)[i];
    matching_.push_back(segment.attributes().Read(
        [&](const AttributeIndex& index) { return index.Evaluate(filter, moment_.rows[i]); }));
    outcome_.matching += segment.CountAlive(matching_.back());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<CollectionSearch::Found>> CollectionSearch::Nearest(const std::vector<float>& vector,
                                                                               size_t k, float min_score) {
  std::vector<Found> found;
  const char* used = "exact";
  int64_t unreadable = 0;
  for (size_t i = 0; i < moment_.segments->size(); ++i) {
    const Segment& segment = *(*moment_.segments)[i];
    SegmentQuery ask;
    ask.query = vector.data();
    ask.k = k;
    ask.min_score = min_score;
    ask.rows = moment_.rows[i];
    ask.clock = moment_.clock;
    ask.matching = matching_.empty() ? nullptr : &matching_[i];
    ask.links = !query_->exact && policy_.UseLinks(segment.live());
    ask.effort = EffortOf(*query_);
    ask.cancelled = query_->cancelled;
    ask.pool = pool_;
    const absl::Time begin = absl::Now();
    const SegmentResult result = segment.Search(ask);
    if (result.cancelled) {
      return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                         "the search was cancelled by its caller. Send it again if the result is still wanted.");
    }
    if (matching_.empty() && result.used != nullptr && ask.effort == 0) policy_.ObserveLinks(absl::Now() - begin);
    if (matching_.empty() && result.used == nullptr) policy_.ObserveExact(ask.rows, absl::Now() - begin);
    if (result.used != nullptr) used = result.used;
    outcome_.compared += result.compared;
    outcome_.card_scans += result.by_card ? 1 : 0;
    unreadable += result.unreadable;
    for (const ScoredRow& scored : result.best) {
      found.push_back({i, static_cast<uint32_t>(scored.row), scored.score, scored.score, 0});
    }
  }
  outcome_.index = used;
  unreadable_ = std::max(unreadable_, unreadable);
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.score > b.score; });
  if (found.size() > k) found.resize(k);
  for (size_t i = 0; i < found.size(); ++i) found[i].before = static_cast<int>(i) + 1;
  return found;
}

absl::StatusOr<std::vector<float>> CollectionSearch::Descriptors(absl::Span<const Found> found) const {
  const size_t dim = descriptor_.size();
  std::vector<float> rows(found.size() * dim);
  for (size_t i = 0; i < found.size(); ++i) {
    const absl::Status read = (*moment_.segments)[found[i].segment]->Read(found[i].row, rows.data() + i * dim);
    // A record deleted meanwhile takes no part: its zeros are near nothing.
    if (!read.ok() && !absl::IsNotFound(read)) return read;
  }
  return rows;
}

absl::Status CollectionSearch::Expand(std::vector<Found>* found, size_t k) {
  const Refinement& how = query_->refinement;
  const bool average = how.method == Refinement::Method::kAverage;
  const size_t wanted = how.neighbours > 0 ? static_cast<size_t>(how.neighbours)
                        : average          ? rerank::kAverageNeighbours
                                           : rerank::kAlphaNeighbours;
  const size_t count = std::min(wanted, found->size());
  if (count == 0) return absl::OkStatus();
  const size_t dim = descriptor_.size();
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> rows, Descriptors(absl::MakeConstSpan(*found).first(count)));
  const rerank::DescriptorRows best{rows.data(), count, dim, dim};
  std::vector<float> cosines(count);
  for (size_t i = 0; i < count; ++i) cosines[i] = (*found)[i].score;
  const std::vector<float> expanded =
      average ? rerank::ExpandAverage(descriptor_.data(), best, count)
              : rerank::ExpandAlphaWeighted(descriptor_.data(), best, cosines.data(), count, how.alpha);

  std::unordered_map<uint64_t, int> places;
  const auto name = [](const Found& hit) { return static_cast<uint64_t>(hit.segment) << 32 | hit.row; };
  for (const Found& hit : *found) places[name(hit)] = hit.before;
  SIGHTLINE_ASSIGN_OR_RETURN(*found, Nearest(expanded, k, -std::numeric_limits<float>::infinity()));
  for (Found& hit : *found) {
    // One at a time: ten thousand results of 8,192 values would take a third of a gigabyte.
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> descriptor, Descriptors(absl::MakeConstSpan(&hit, 1)));
    kernels::InnerProducts(descriptor_.data(), descriptor.data(), dim, dim, 1, &hit.score);
    const auto place = places.find(name(hit));
    hit.before = place == places.end() ? 0 : place->second;
  }
  return absl::OkStatus();
}

absl::Status CollectionSearch::ReorderShortlist(std::vector<Found>* found) {
  const bool super_global = query_->refinement.method == Refinement::Method::kSuperGlobal;
  const size_t most = super_global ? rerank::kSuperGlobalShortlist : rerank::kReciprocalShortlist;
  const size_t count = std::min(most, found->size());
  if (count == 0) return absl::OkStatus();
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> rows, Descriptors(absl::MakeConstSpan(*found).first(count)));
  const rerank::DescriptorRows candidates{rows.data(), count, descriptor_.size(), descriptor_.size()};
  const size_t neighbours = static_cast<size_t>(query_->refinement.neighbours);
  std::vector<float> scores;
  if (super_global) {
    rerank::SuperGlobalOptions options;
    if (neighbours > 0) options.neighbours = neighbours;
    scores = rerank::SuperGlobalScores(descriptor_.data(), candidates, options);
  } else {
    rerank::ReciprocalOptions options;
    if (neighbours > 0) options.k1 = neighbours;
    scores = rerank::ReciprocalScores(descriptor_.data(), candidates, options);
  }
  for (size_t i = 0; i < count; ++i) (*found)[i].order = scores[i];
  // What is below the shortlist keeps its order, and its place.
  std::stable_sort(found->begin(), found->begin() + static_cast<ptrdiff_t>(count),
                   [](const Found& a, const Found& b) { return a.order > b.order; });
  return absl::OkStatus();
}

std::optional<uint64_t> CollectionSearch::GroupOf(const Found& found) const {
  return (*moment_.segments)[found.segment]->attributes().Read(
      [&](const AttributeIndex& index) { return index.GroupId(found.row, query_->group_by); });
}

bool CollectionSearch::Page(const std::vector<Found>& found, bool all) {
  const bool refined = query_->refinement.method != Refinement::Method::kOff;
  const size_t first = static_cast<size_t>(query_->offset);
  const size_t wanted = first + static_cast<size_t>(query_->top_k);
  GroupLimit groups(query_->group_size);
  size_t place = 0;
  outcome_.hits.clear();
  for (const Found& hit : found) {
    if (place == wanted) break;
    // -1 takes everything, also a score that rounding put just below it.
    if (query_->min_score && *query_->min_score > -1 && hit.score < static_cast<float>(*query_->min_score)) continue;
    if (!query_->group_by.empty() && !groups.Keep(GroupOf(hit))) continue;
    if (place++ < first) continue;
    outcome_.hits.push_back({.id = (*moment_.segments)[hit.segment]->row_table().Id(hit.row),
                             // Rounding can take a cosine a few units of the last place beyond 1.
                             .score = std::clamp<double>(hit.score, -1, 1),
                             .rerank_score = refined ? std::optional<double>(hit.order) : std::nullopt,
                             .rank_before_rerank = refined ? hit.before : static_cast<int>(place)});
  }
  return place == wanted || all;
}

absl::StatusOr<SearchOutcome> CollectionSearch::Run(const SearchQuery& query) {
  query_ = &query;
  SIGHTLINE_RETURN_IF_ERROR(Check(query));
  SIGHTLINE_ASSIGN_OR_RETURN(descriptor_, NormalizeDescriptor(query.descriptor, config_.descriptor_dim));
  SIGHTLINE_RETURN_IF_ERROR(ApplyFilter(query));
  const Refinement::Method method = query.refinement.method;
  const bool expands = method == Refinement::Method::kAverage || method == Refinement::Method::kAlphaWeighted;
  size_t k = static_cast<size_t>(query.offset + query.top_k);
  if (method != Refinement::Method::kOff) k = std::max(k, rerank::kSuperGlobalShortlist);
  // A refinement may lift what min_score forbids to return but not to use.
  const bool cut = query.min_score && *query.min_score > -1 && method == Refinement::Method::kOff;
  const float min_score = cut ? static_cast<float>(*query.min_score) : -std::numeric_limits<float>::infinity();
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(std::vector<Found> found, Nearest(descriptor_, k, min_score));
    const bool all = found.size() < k || k >= kMaxSearchResults;
    if (expands) {
      SIGHTLINE_RETURN_IF_ERROR(Expand(&found, k));
    } else if (method != Refinement::Method::kOff) {
      SIGHTLINE_RETURN_IF_ERROR(ReorderShortlist(&found));
    }
    if (Page(found, all)) break;
    // Too many of them were in groups that are full already, or below min_score.
    k = std::min<size_t>(k * 4, kMaxSearchResults);
  }
  if (unreadable_ > 0) {
    outcome_.degraded_reasons.push_back(
        absl::StrCat("the descriptors of ", unreadable_,
                     " images that may belong here could not be read. Check the disk, and restore a backup."));
  }
  return std::move(outcome_);
}

}  // namespace sightline::index
