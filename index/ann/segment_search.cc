// How a segment is searched: with every row, with the rows that satisfy a filter, or by its links.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "index/ann/exact_scan.h"
#include "index/ann/filter_plan.h"
#include "index/ann/segment.h"
#include "index/filter/bitmap.h"
#include "index/kernels/inner_product.h"

namespace sightline::index {
namespace {

// How far a score of codes is off at most, in all likelihood: so many times the error's standard deviation.
constexpr double kLikelyErrors = 4;
// Half precision tells most neighbours apart: so many candidates beyond the best k are scored again.
constexpr size_t kMoreFromCard = 16;
// Candidates scored again together, after the first k.
constexpr size_t kRescoredAtOnce = 4;

// Handing a part to another thread costs as much as comparing a few hundred rows.
constexpr uint32_t kRowsPerPart = 8'192;

int PartsFor(const SegmentQuery& query, uint32_t rows) {
  if (query.pool == nullptr) return 1;
  return std::clamp(static_cast<int>(rows / kRowsPerPart), 1, query.pool->threads() + 1);
}

}  // namespace

// The descriptors of a segment, for re-scoring.
class Segment::Source : public RowSource {
 public:
  explicit Source(const Segment& segment) : segment_(segment) {}

  void Score(const float* query, absl::Span<const uint32_t> rows, float* out) override {
    const size_t dim = segment_.shape().chunk.dim;
    thread_local std::vector<float> descriptor;
    descriptor.resize(dim);
    if (rows.size() > 1) {
      for (const uint32_t row : rows) segment_.Prefetch(row);
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      const absl::Status read = segment_.Read(rows[i], descriptor.data());
      if (read.ok()) {
        kernels::InnerProducts(query, descriptor.data(), dim, dim, 1, out + i);
        continue;
      }
      // A score that is no number is never kept.
      out[i] = std::numeric_limits<float>::quiet_NaN();
      // Where its record is gone since, nothing is missing.
      if (!absl::IsNotFound(read)) unreadable_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  int64_t unreadable() const { return unreadable_.load(std::memory_order_relaxed); }

 private:
  const Segment& segment_;
  std::atomic<int64_t> unreadable_ = 0;
};

SegmentResult Segment::Search(const SegmentQuery& query) const {
  SegmentResult result;
  const uint32_t linked = std::min(linked_rows(), query.rows);
  if (query.k == 0 || query.rows == 0) return result;
  if (query.links && linked > 0) {
    SearchLinks(query, &result);
    if (result.used != nullptr || result.cancelled) return result;
  }
  CompareRows(query, 0, &result);
  return result;
}

void Segment::CompareRows(const SegmentQuery& query, uint32_t first, SegmentResult* result) const {
  Source source(*this);
  const ScanRequest request{
      .query = query.query, .k = query.k, .min_score = query.min_score, .visible = [&](uint32_t row) {
        return row_table_.VisibleAt(row, query.clock);
      }};
  ScanRun run{.pool = query.pool, .parts = 1, .cancelled = query.cancelled};
  std::vector<ScanResult> scans;
  std::vector<gpu::RowRange> left = {{first, query.rows}};
  if (resident_rows_ != nullptr && first == 0) {
    std::optional<ScanResult> scan =
        resident_rows_->Scan({query.rows, query.clock, query.matching}, request, source, run, &left);
    result->by_card = scan.has_value();
    if (scan) scans.push_back(*std::move(scan));
  }
  std::vector<uint32_t> matching;
  if (query.matching != nullptr && !left.empty()) {
    matching.resize(query.matching->cardinality());
    query.matching->toUint32Array(matching.data());
  }
  for (const gpu::RowRange& range : left) {
    if (query.matching == nullptr) {
      run.parts = PartsFor(query, range.end - range.begin);
      scans.push_back(ScanCodes(codes_, range.begin, range.end, request, source, run));
    } else {
      const auto begin = std::lower_bound(matching.begin(), matching.end(), range.begin);
      const auto end = std::lower_bound(begin, matching.end(), range.end);
      run.parts = PartsFor(query, static_cast<uint32_t>(end - begin));
      scans.push_back(ScanCodesAt(codes_,
                                  absl::MakeConstSpan(matching).subspan(static_cast<size_t>(begin - matching.begin()),
                                                                        static_cast<size_t>(end - begin)),
                                  request, source, run));
    }
  }
  TopK top(query.k, query.min_score);
  for (const ScanResult& scan : scans) {
    result->compared += scan.compared;
    result->cancelled = result->cancelled || scan.cancelled;
    for (const ScoredRow& row : scan.best) top.Add(row.score, row.row);
  }
  result->unreadable += source.unreadable();
  const std::vector<ScoredRow> best = std::move(top).Take();
  result->best.insert(result->best.end(), best.begin(), best.end());
}

// The candidates in full precision, the most promising first, until no other is likely to reach the best k.
std::vector<ScoredRow> Segment::Rescore(const SegmentQuery& query, const kernels::Int8Query& code,
                                        absl::Span<const ScoredRow> candidates, SegmentResult* result) const {
  Source source(*this);
  const double root = std::sqrt(static_cast<double>(shape_.chunk.dim));
  std::vector<ScoredRow> scored;
  TopK top(query.k);
  std::vector<uint32_t> rows;
  std::vector<float> scores;
  for (size_t i = 0; i < candidates.size();) {
    if (top.full() && links_->scores_by_codes()) {
      // The bound of the error holds always; the error itself is a sum of so many small ones, each as often up as down.
      const float error =
          code.ScoreError(codes_.layout().Trailer(codes_.Row(static_cast<uint32_t>(candidates[i].row))).error);
      if (candidates[i].score + kLikelyErrors * error / root < top.bar()) break;
    }
    const size_t count = std::min(i == 0 ? query.k : kRescoredAtOnce, candidates.size() - i);
    rows.clear();
    for (size_t j = i; j < i + count; ++j) rows.push_back(static_cast<uint32_t>(candidates[j].row));
    scores.resize(count);
    source.Score(query.query, rows, scores.data());
    for (size_t j = 0; j < count; ++j) {
      scored.push_back({scores[j], rows[j]});
      top.Add(scores[j], rows[j]);
    }
    i += count;
  }
  result->unreadable += source.unreadable();
  return scored;
}

void Segment::Finish(const SegmentQuery& query, const kernels::Int8Query& code, absl::Span<const ScoredRow> candidates,
                     uint32_t end, SegmentResult* result) const {
  const std::vector<ScoredRow> scored = Rescore(query, code, candidates, result);
  if (end < query.rows) CompareRows(query, end, result);
  TopK top(query.k, query.min_score);
  for (const ScoredRow& row : scored) {
    if (row.row < end) top.Add(row.score, row.row);
  }
  for (const ScoredRow& row : result->best) top.Add(row.score, row.row);
  result->best = std::move(top).Take();
}

bool Segment::SearchCardLists(const SegmentQuery& query, const kernels::Int8Query& code, SegmentResult* result) const {
  if (resident_lists_ == nullptr || query.matching != nullptr) return false;
  const auto visible = [&](uint32_t row) { return row < query.rows && row_table_.VisibleAt(row, query.clock); };
  const std::optional<gpu::ResidentLists::Found> found =
      resident_lists_->Best({.values = query.query,
                             .wanted = query.k + kMoreFromCard,
                             .nprobe = query.effort > 0 ? query.effort : links_->default_effort(),
                             .linked = std::min(linked_rows(), query.rows),
                             .clock = query.clock,
                             .visible = visible});
  if (!found) return false;
  result->by_card = true;
  result->compared += static_cast<int64_t>(found->best.size());
  result->used = links_->name();
  Finish(query, code, found->best, found->covered, result);
  return true;
}

void Segment::SearchLinks(const SegmentQuery& query, SegmentResult* result) const {
  const kernels::Int8Query code(codes_.layout(), query.query);
  if (SearchCardLists(query, code, result)) return;
  const size_t candidates = links_->CandidatesFor(query.k);
  RowBits bits;
  double width = 1;
  int64_t most = std::numeric_limits<int64_t>::max();
  if (query.matching != nullptr) {
    const size_t effort = query.effort > 0 ? query.effort : links_->default_effort();
    const FilterPlan plan = PlanFilter(query.rows, query.matching->cardinality(), std::max(effort, candidates));
    if (!plan.use_graph) return;
    width = plan.width;
    most = plan.max_compared;
    ToRowBits(*query.matching, query.rows, bits);
  }
  const auto accept = [&](uint32_t row) { return row < query.rows && row_table_.VisibleAt(row, query.clock); };
  const uint32_t linked = linked_rows();
  const LinksResult found = links_->Search({.vector = query.query,
                                            .query = &code,
                                            .k = candidates,
                                            .effort = query.effort,
                                            .filter = query.matching == nullptr ? nullptr : &bits,
                                            .filter_width = width,
                                            .accept = accept,
                                            .cancelled = &query.cancelled,
                                            .max_compared = most});
  result->compared += found.compared;
  result->cancelled = found.cancelled;
  if (found.cancelled || found.gave_up) return;
  result->used = links_->name();

  // Rows on their way into the graph are found there, or compared, or both.
  Finish(query, code, found.best, linked, result);
}

}  // namespace sightline::index
