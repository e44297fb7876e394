// How a segment is searched: with every row, with the rows that satisfy a filter, or by its links.
#include <algorithm>
#include <limits>
#include <vector>

#include "index/ann/exact_scan.h"
#include "index/ann/filter_plan.h"
#include "index/ann/segment.h"
#include "index/filter/bitmap.h"
#include "index/kernels/inner_product.h"

namespace sightline::index {
namespace {

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
    for (size_t i = 0; i < rows.size(); ++i) {
      if (segment_.Read(rows[i], descriptor.data()).ok()) {
        kernels::InnerProducts(query, descriptor.data(), dim, dim, 1, out + i);
      } else {
        // Its record is gone since: a score that is no number is never kept.
        out[i] = std::numeric_limits<float>::quiet_NaN();
      }
    }
  }

 private:
  const Segment& segment_;
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
  ScanResult scan;
  if (query.matching == nullptr) {
    run.parts = PartsFor(query, query.rows - first);
    scan = ScanCodes(codes_, first, query.rows, request, source, run);
  } else {
    std::vector<uint32_t> rows(query.matching->cardinality());
    query.matching->toUint32Array(rows.data());
    rows.erase(std::lower_bound(rows.begin(), rows.end(), query.rows), rows.end());
    rows.erase(rows.begin(), std::lower_bound(rows.begin(), rows.end(), first));
    run.parts = PartsFor(query, static_cast<uint32_t>(rows.size()));
    scan = ScanCodesAt(codes_, rows, request, source, run);
  }
  result->compared += scan.compared;
  result->cancelled = result->cancelled || scan.cancelled;
  result->best.insert(result->best.end(), scan.best.begin(), scan.best.end());
}

void Segment::SearchLinks(const SegmentQuery& query, SegmentResult* result) const {
  const size_t candidates = links_->CandidatesFor(query.k);
  RowBits bits;
  int64_t most = std::numeric_limits<int64_t>::max();
  if (query.matching != nullptr) {
    const auto plan = PlanFilter(query.rows, query.matching->cardinality(), std::max(query.effort, candidates));
    if (!plan.use_graph) return;
    most = plan.max_compared;
    ToRowBits(*query.matching, query.rows, bits);
  }
  const kernels::Int8Query code(codes_.layout(), query.query);
  const auto accept = [&](uint32_t row) { return row < query.rows && row_table_.VisibleAt(row, query.clock); };
  const uint32_t linked = linked_rows();
  const LinksResult found = links_->Search({.vector = query.query,
                                            .query = &code,
                                            .k = candidates,
                                            .effort = query.effort,
                                            .filter = query.matching == nullptr ? nullptr : &bits,
                                            .accept = accept,
                                            .cancelled = &query.cancelled,
                                            .max_compared = most});
  result->compared += found.compared;
  result->cancelled = found.cancelled;
  if (found.cancelled || found.gave_up) return;
  result->used = links_->name();

  std::vector<uint32_t> rows(found.best.size());
  std::transform(found.best.begin(), found.best.end(), rows.begin(),
                 [](const ScoredRow& scored) { return static_cast<uint32_t>(scored.row); });
  std::sort(rows.begin(), rows.end());
  std::vector<float> scores(rows.size());
  Source(*this).Score(query.query, rows, scores.data());
  // Rows on their way into the graph are found there or here, or in both.
  if (linked < query.rows) CompareRows(query, linked, result);
  TopK top(query.k, query.min_score);
  std::sort(result->best.begin(), result->best.end(),
            [](const ScoredRow& a, const ScoredRow& b) { return a.row < b.row; });
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] < linked) top.Add(scores[i], rows[i]);
  }
  for (const ScoredRow& scored : result->best) top.Add(scored.score, scored.row);
  result->best = std::move(top).Take();
}

}  // namespace sightline::index
