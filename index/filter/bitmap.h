// Between Roaring bitmaps and plain words, one bit per row: Roaring keeps sets small, words make unions and single
// look-ups fast.
//
// Threading: pure functions on their arguments; a bitmap may be read from many threads as long as none changes it, and
// as long as its copy-on-write stays off (it is, by default): copying would count in the original.
// Ownership: plain values. Failure: none.
//
//   RowBits bits;
//   ToRowBits(rows, segment_rows, bits);
#ifndef SIGHTLINE_INDEX_FILTER_BITMAP_H_
#define SIGHTLINE_INDEX_FILTER_BITMAP_H_

#include <cstddef>
#include <cstdint>
#include <roaring/roaring.hh>
#include <vector>

#include "absl/types/span.h"
#include "index/ann/row_bits.h"

namespace sightline::index {

// The rows of `bitmap` below `row_count`; reuses the memory of `bits`.
void ToRowBits(const Roaring& bitmap, uint32_t row_count, RowBits& bits);

// Rows beyond the words are left out.
void OrInto(const Roaring& bitmap, absl::Span<uint64_t> words);
void AndNotInto(const Roaring& bitmap, absl::Span<uint64_t> words);

Roaring FromWords(absl::Span<const uint64_t> words);

// Bytes of memory, without the Roaring object itself.
size_t BitmapBytes(const Roaring& bitmap);

// The union of many sets of rows, of which most are small.
//
//   RowUnion rows;
//   for (...) rows.Add(posting);
//   Roaring all = rows.Take();
class RowUnion {
 public:
  void Add(const Roaring& bitmap);
  void Add(absl::Span<const uint32_t> rows);
  Roaring Take();

 private:
  // Few rows are sorted, more are scattered over words.
  static constexpr size_t kFew = 512;

  void Spread();
  uint64_t& WordOf(uint32_t row);

  std::vector<uint32_t> few_;
  std::vector<uint64_t> words_;
  bool spread_ = false;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_BITMAP_H_
