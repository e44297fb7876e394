// Exact search: compares a query with every row of a range, or of a list, at the speed of memory.
//
// Over int8 codes the result is exact all the same: every code carries how far it is from its descriptor, which bounds
// the true score (index/kernels/scan_query.h). Rows whose upper bound reaches the k-th best lower bound are scored
// again in full precision, the most promising first, until no bound that is left can reach the k-th best true score.
//
// Several queries may share one pass over the rows; each gets the result it would get alone.
//
// Threading: may be called from any thread for rows published to it. A scan runs in up to `parts` parts on the threads
// of a pool, the calling thread among them. `visible` and RowSource are called from all of them, `cancelled` from the
// calling thread alone, about every 0.5 ms.
// Ownership: borrows everything until the call returns. Failure: none; a score that is NaN is never kept.
//
//   ScanResult found = ScanCodes(codes, 0, rows, {.query = q.data(), .k = 10}, source, {.pool = &pool, .parts = 2});
#ifndef SIGHTLINE_INDEX_ANN_EXACT_SCAN_H_
#define SIGHTLINE_INDEX_ANN_EXACT_SCAN_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "index/ann/code_table.h"
#include "index/ann/top_k.h"

namespace sightline::base {
class ThreadPool;
}  // namespace sightline::base

namespace sightline::index {

// Where rows are found in full precision.
class RowSource {
 public:
  virtual ~RowSource() = default;
  // out[i] = <query, row rows[i]>, as precise as kernels::InnerProducts, of the very values the row's code was made of.
  // `rows` are in the order of their promise, not sorted. May be called from several threads at once.
  virtual void Score(const float* query, absl::Span<const uint32_t> rows, float* out) = 0;
};

// Full-precision rows in memory, row i at data + i * stride.
struct FloatRows {
  const float* data = nullptr;
  size_t dim = 0;
  size_t stride = 0;  // in floats
};

struct ScanRequest {
  const float* query = nullptr;  // dim values
  size_t k = 0;
  float min_score = -std::numeric_limits<float>::infinity();
  // Asked only for rows that would be kept; empty where all rows may be seen.
  std::function<bool(uint32_t row)> visible = nullptr;
};

// How a scan runs.
struct ScanRun {
  base::ThreadPool* pool = nullptr;
  int parts = 1;
  std::function<bool()> cancelled = nullptr;  // may be empty
};

struct ScanResult {
  std::vector<ScoredRow> best;  // best first; ties by row
  int64_t compared = 0;         // rows read, seen or not
  int64_t rescored = 0;         // rows scored in full precision after their codes
  bool cancelled = false;       // what was found until then is not to be used
};

// Rows begin to end - 1.
ScanResult ScanCodes(const CodeTable& codes, uint32_t begin, uint32_t end, const ScanRequest& request,
                     RowSource& source, const ScanRun& run);
std::vector<ScanResult> ScanCodesBlock(const CodeTable& codes, uint32_t begin, uint32_t end,
                                       absl::Span<const ScanRequest> requests, RowSource& source, const ScanRun& run);

// The rows of a list, in ascending order.
ScanResult ScanCodesAt(const CodeTable& codes, absl::Span<const uint32_t> rows, const ScanRequest& request,
                       RowSource& source, const ScanRun& run);

ScanResult ScanFloats(const FloatRows& rows, uint32_t begin, uint32_t end, const ScanRequest& request,
                      const ScanRun& run);
std::vector<ScanResult> ScanFloatsBlock(const FloatRows& rows, uint32_t begin, uint32_t end,
                                        absl::Span<const ScanRequest> requests, const ScanRun& run);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_EXACT_SCAN_H_
