// RowBits: a set of a segment's rows, one bit each, for code that asks about many single rows (a graph's filter).
//
// Threading: a value; reading from any thread. Failure: none; a row beyond the words is not contained.
//
//   RowBits bits{std::vector<uint64_t>((rows + 63) / 64)};
//   bits.words[row / 64] |= uint64_t{1} << (row % 64);
#ifndef SIGHTLINE_INDEX_ANN_ROW_BITS_H_
#define SIGHTLINE_INDEX_ANN_ROW_BITS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sightline::index {

struct RowBits {
  std::vector<uint64_t> words;

  bool Contains(uint32_t row) const {
    const size_t word = row / 64;
    return word < words.size() && (words[word] >> (row % 64) & 1) != 0;
  }
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_ROW_BITS_H_
