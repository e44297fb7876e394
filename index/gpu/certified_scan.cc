#include "index/gpu/certified_scan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/status.h"

namespace sightline::index::gpu {
namespace {

// Beyond, a score in single precision may overflow on the way.
constexpr double kLargestProduct = 1e37;
// Rows scored again at once, after the first k.
constexpr size_t kRescored = 16;
// Asked for beside k and a quarter of it: rows that have died since the view was made, and near ties.
constexpr size_t kSlack = 32;

constexpr char kNotCertified[] = "NOT_CERTIFIED";

absl::Status NotCertified() {
  return base::FailedPrecondition(
      kNotCertified, "the card's scores are too close to each other to tell the best. Compare on the CPU.");
}

// Scores `best` again. False when rows behind the last one might belong to the result.
bool Rescore(const std::vector<ScoredRow>& best, bool all, double error, const ScanRequest& request, RowSource& source,
             const ScanRun& run, ScanResult* result) {
  TopK top(request.k, request.min_score);
  std::vector<uint32_t> rows;
  std::vector<float> scores;
  const auto below = [&](float score) { return static_cast<double>(score) + error < top.bar(); };
  for (size_t i = 0; i < best.size() && !below(best[i].score);) {
    if (run.cancelled && run.cancelled()) {
      result->cancelled = true;
      return true;
    }
    const size_t most = i == 0 ? request.k : kRescored;
    rows.clear();
    for (; i < best.size() && rows.size() < most && !below(best[i].score); ++i) {
      const auto row = static_cast<uint32_t>(best[i].row);
      if (!request.visible || request.visible(row)) rows.push_back(row);
    }
    scores.resize(rows.size());
    source.Score(request.query, rows, scores.data());
    for (size_t j = 0; j < rows.size(); ++j) top.Add(scores[j], rows[j]);
    result->rescored += static_cast<int64_t>(rows.size());
  }
  if (!all && !below(best.back().score)) return false;
  result->best = std::move(top).Take();
  return true;
}

}  // namespace

double ScoreError(const float* query, size_t dim, const RowErrors& errors) {
  double squared = 0;
  for (size_t i = 0; i < dim; ++i) squared += static_cast<double>(query[i]) * query[i];
  // What these few lines round off themselves is far below the last factor.
  const double length = std::sqrt(squared), values = static_cast<double>(dim);
  const double error = length * (errors.residual + errors.rounding * (errors.norm + errors.residual) +
                                 (values / 4 + 32) * 0x1p-24 * errors.norm) +
                       values * 0x1p-147;
  if (!(length * (errors.norm + errors.residual) < kLargestProduct)) return std::numeric_limits<double>::quiet_NaN();
  return error * (1 + 1e-9);
}

bool IsNotCertified(const absl::Status& status) {
  return !status.ok() && base::GetErrorInfo(status).reason == kNotCertified;
}

absl::StatusOr<ScanResult> CertifiedScan(const RowView& view, size_t dim, uint32_t end,
                                         absl::Span<const uint64_t> visible, const ScanRequest& request,
                                         RowSource& source, const ScanRun& run) {
  ScanResult result;
  if (request.k == 0) return result;
  const double error = ScoreError(request.query, dim, view.errors());
  const size_t most = view.most_wanted();
  if (!std::isfinite(error) || request.k > most) return NotCertified();
  size_t wanted = std::min(most, request.k + request.k / 4 + kSlack);
  while (true) {
    if (run.cancelled && run.cancelled()) {
      result.cancelled = true;
      return result;
    }
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<ScoredRow> best,
                               view.Best({.values = request.query, .wanted = wanted, .end = end, .visible = visible}));
    if (Rescore(best, /*all=*/best.size() < wanted, error, request, source, run, &result)) return result;
    if (wanted == most) return NotCertified();
    wanted = most;
  }
}

}  // namespace sightline::index::gpu
