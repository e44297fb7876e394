// PqCodes: the product quantiser's codes of a segment's rows, in memory, in chunks that never move; what stands in for
// the CodeTable where memory is short.
//
// Threading: Search may be called from any thread for rows that were set before a release that the caller has acquired
// (a segment publishes its number of rows); Set from one thread at a time, for rows not published yet.
// Ownership: owns the codes, taken chunk by chunk; shares the quantiser. Failure: ends the process when memory is
// exhausted; budgets exist so that it never comes to that.
//
//   PqCodes codes(quantizer, /*chunk_rows=*/32768, /*max_rows=*/1 << 20);
//   codes.Set(0, descriptor.data());
//   PqCodes::Result found = codes.Search({.query = query.data(), .k = 200, .rows = 1, .accept = alive});
#ifndef SIGHTLINE_INDEX_ANN_PQ_CODES_H_
#define SIGHTLINE_INDEX_ANN_PQ_CODES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "index/ann/product_quantizer.h"
#include "index/ann/row_bits.h"
#include "index/ann/top_k.h"

namespace sightline::index {

class PqCodes {
 public:
  struct Request {
    const float* query = nullptr;     // dim values, L2-normalised
    size_t k = 0;                     // candidates; a few hundred, to be re-scored
    uint32_t rows = 0;                // rows [0, rows) are compared
    const RowBits* filter = nullptr;  // rows that may be returned; all where null
    // Whether a row that passes the filter is visible. Asked only about rows that would enter the result.
    absl::FunctionRef<bool(uint32_t)> accept;
    const std::function<bool()>* cancelled = nullptr;  // asked about every 0.1 ms; may be null or empty
  };

  struct Result {
    std::vector<ScoredRow> best;  // by estimate, best first; ties by row; up to k
    int64_t compared = 0;
    bool cancelled = false;
  };

  // `chunk_rows` is a power of two.
  PqCodes(std::shared_ptr<const ProductQuantizer> quantizer, uint32_t chunk_rows, uint32_t max_rows);
  PqCodes(const PqCodes&) = delete;
  PqCodes& operator=(const PqCodes&) = delete;

  void Set(uint32_t row, const float* descriptor);
  // Compares every row; inverted lists (ivf.h) compare a few of them by Scores.
  Result Search(const Request& request) const;
  // out[i] ~ <query, rows[i]>, from the query's table.
  void Scores(const float* table, absl::Span<const uint32_t> rows, float* out) const;

  const uint8_t* Row(uint32_t row) const {
    return chunks_[row >> shift_].get() + static_cast<size_t>(row & mask_) * quantizer_->code_bytes();
  }
  // A segment's file takes the codes from here and puts them back.
  uint8_t* MutableRow(uint32_t row);

  const ProductQuantizer& quantizer() const { return *quantizer_; }
  uint32_t max_rows() const { return max_rows_; }
  // Of the codes; the quantiser, which segments share, counts its own.
  int64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }

 private:
  const std::shared_ptr<const ProductQuantizer> quantizer_;
  const uint32_t max_rows_;
  const int shift_;
  const uint32_t mask_;
  std::vector<std::unique_ptr<uint8_t[]>> chunks_;
  std::atomic<int64_t> memory_bytes_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_PQ_CODES_H_
