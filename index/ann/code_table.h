// CodeTable: the int8 codes of a segment's rows, in memory, in chunks that never move.
//
// Threading: Row may be called from any thread for rows that were written before a release that the caller has acquired
// (a segment publishes its number of rows); MutableRow from one thread at a time, for rows not published yet.
// Ownership: owns the memory, taken chunk by chunk; huge pages are asked for, because graphs jump from row to row.
// Failure: ends the process when memory is exhausted; budgets exist so that it never comes to that.
//
//   CodeTable codes(kernels::CodeLayout(dim), /*chunk_rows=*/32768, /*max_rows=*/1 << 20);
//   kernels::EncodeRow(codes.layout(), descriptor, codes.MutableRow(0));
#ifndef SIGHTLINE_INDEX_ANN_CODE_TABLE_H_
#define SIGHTLINE_INDEX_ANN_CODE_TABLE_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "index/kernels/int8_code.h"

namespace sightline::index {

class CodeTable {
 public:
  // `chunk_rows` is a power of two.
  CodeTable(const kernels::CodeLayout& layout, uint32_t chunk_rows, uint32_t max_rows);
  CodeTable(const CodeTable&) = delete;
  CodeTable& operator=(const CodeTable&) = delete;

  const uint8_t* Row(uint32_t row) const {
    return chunks_[row >> shift_].get() + static_cast<size_t>(row & mask_) * layout_.stride;
  }
  uint8_t* MutableRow(uint32_t row);

  // Lets the pages of a full chunk, whose rows are in an open file from `offset` (a multiple of the page size) on, be
  // read from there: the memory goes back to the system, and what is used comes from the page cache. The addresses
  // stay, so readers notice nothing. For collections that memory is too short for: a disk that fails to read a page
  // ends the process. False when the system refuses; everything is then as before.
  bool MapChunk(uint32_t chunk, int file, int64_t offset);
  int64_t mapped_bytes() const { return mapped_bytes_.load(std::memory_order_relaxed); }

  const kernels::CodeLayout& layout() const { return layout_; }
  uint32_t chunk_rows() const { return mask_ + 1; }
  uint32_t max_rows() const { return max_rows_; }
  size_t chunk_bytes() const { return static_cast<size_t>(chunk_rows()) * layout_.stride; }

 private:
  struct Unmap {
    void operator()(uint8_t* memory) const;
    size_t bytes = 0;
  };

  const kernels::CodeLayout layout_;
  const uint32_t max_rows_;
  const int shift_;
  const uint32_t mask_;
  std::vector<std::unique_ptr<uint8_t, Unmap>> chunks_;
  std::atomic<int64_t> mapped_bytes_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_CODE_TABLE_H_
