#include "index/filter/bitmap.h"

#include <algorithm>
#include <cstring>

namespace sightline::index {
namespace {

// A container of Roaring holds the rows that share their upper 16 bits, as an array, as runs, or as 1,024 words.
constexpr size_t kContainerWords = 1024;
constexpr size_t kArrayRows = 4096;  // up to which Roaring wants an array

// Calls on_words(first_word, words, count), on_row(row) and on_run(first, last) for what `bitmap` holds within
// `word_count` words.
template <typename OnWords, typename OnRow, typename OnRun>
void ForEachPiece(const Roaring& bitmap, size_t word_count, OnWords on_words, OnRow on_row, OnRun on_run) {
  const roaring_array_t& array = bitmap.roaring.high_low_container;
  for (int32_t i = 0; i < array.size; ++i) {
    const size_t base = size_t{array.keys[i]} * kContainerWords;
    if (base >= word_count) return;
    const size_t room = std::min(kContainerWords, word_count - base);
    uint8_t type = array.typecodes[i];
    const void* const container = container_unwrap_shared(array.containers[i], &type);
    if (type == BITSET_CONTAINER_TYPE_CODE) {
      on_words(base, static_cast<const bitset_container_t*>(container)->array, room);
      continue;
    }
    const size_t end = room * 64;
    if (type == ARRAY_CONTAINER_TYPE_CODE) {
      const auto* rows = static_cast<const array_container_t*>(container);
      for (int32_t k = 0; k < rows->cardinality && rows->array[k] < end; ++k) {
        on_row(base * 64 + rows->array[k]);
      }
    } else {
      const auto* runs = static_cast<const run_container_t*>(container);
      for (int32_t k = 0; k < runs->n_runs && runs->runs[k].value < end; ++k) {
        const size_t first = runs->runs[k].value;
        const size_t last = std::min(first + runs->runs[k].length, end - 1);
        on_run(base * 64 + first, base * 64 + last);
      }
    }
  }
}

// Calls change(word, mask) for every word that has bits of first..last.
template <typename Change>
void ForEachMask(size_t first, size_t last, Change change) {
  const size_t first_word = first / 64;
  const size_t last_word = last / 64;
  const uint64_t head = ~uint64_t{0} << (first % 64);
  const uint64_t tail = ~uint64_t{0} >> (63 - last % 64);
  if (first_word == last_word) {
    change(first_word, head & tail);
    return;
  }
  change(first_word, head);
  for (size_t word = first_word + 1; word < last_word; ++word) change(word, ~uint64_t{0});
  change(last_word, tail);
}

// Counts the bits of a container's words. The distribution's processors need not have an instruction for it, so the
// sums of bytes are formed side by side, which compilers turn into vector code.
int32_t CountBits(const uint64_t* words, size_t count) {
  uint64_t total = 0;
  constexpr size_t kGroup = 16;  // 16 sums of at most 8 fit a byte
  for (size_t begin = 0; begin < count; begin += kGroup) {
    uint64_t bytes = 0;
    for (size_t i = begin; i < std::min(count, begin + kGroup); ++i) {
      uint64_t x = words[i];
      x -= x >> 1 & 0x5555555555555555;
      x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
      bytes += (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0F;
    }
    const uint64_t pairs = (bytes & 0x00FF00FF00FF00FF) + (bytes >> 8 & 0x00FF00FF00FF00FF);
    total += pairs * 0x0001000100010001 >> 48;
  }
  return static_cast<int32_t>(total);
}

}  // namespace

void OrInto(const Roaring& bitmap, absl::Span<uint64_t> words) {
  uint64_t* const out = words.data();
  ForEachPiece(
      bitmap, words.size(),
      [out](size_t base, const uint64_t* piece, size_t count) {
        for (size_t i = 0; i < count; ++i) out[base + i] |= piece[i];
      },
      [out](size_t row) { out[row / 64] |= uint64_t{1} << (row % 64); },
      [out](size_t first, size_t last) {
        ForEachMask(first, last, [out](size_t word, uint64_t mask) { out[word] |= mask; });
      });
}

void AndNotInto(const Roaring& bitmap, absl::Span<uint64_t> words) {
  uint64_t* const out = words.data();
  ForEachPiece(
      bitmap, words.size(),
      [out](size_t base, const uint64_t* piece, size_t count) {
        for (size_t i = 0; i < count; ++i) out[base + i] &= ~piece[i];
      },
      [out](size_t row) { out[row / 64] &= ~(uint64_t{1} << (row % 64)); },
      [out](size_t first, size_t last) {
        ForEachMask(first, last, [out](size_t word, uint64_t mask) { out[word] &= ~mask; });
      });
}

void ToRowBits(const Roaring& bitmap, uint32_t row_count, RowBits& bits) {
  bits.words.assign((size_t{row_count} + 63) / 64, 0);
  OrInto(bitmap, absl::MakeSpan(bits.words));
  if (row_count % 64 != 0) bits.words.back() &= ~uint64_t{0} >> (64 - row_count % 64);
}

Roaring FromWords(absl::Span<const uint64_t> words) {
  Roaring bitmap;
  roaring_array_t* const array = &bitmap.roaring.high_low_container;
  for (size_t base = 0; base < words.size(); base += kContainerWords) {
    const uint64_t* const piece = words.data() + base;
    const size_t count = std::min(kContainerWords, words.size() - base);
    const int32_t rows = CountBits(piece, count);
    if (rows == 0) continue;
    const auto key = static_cast<uint16_t>(base / kContainerWords);
    if (static_cast<size_t>(rows) > kArrayRows) {
      bitset_container_t* const container = bitset_container_create();
      std::memcpy(container->array, piece, count * sizeof(uint64_t));
      container->cardinality = rows;
      ra_append(array, key, container, BITSET_CONTAINER_TYPE_CODE);
      continue;
    }
    array_container_t* const container = array_container_create_given_capacity(rows);
    uint16_t* out = container->array;
    for (size_t i = 0; i < count; ++i) {
      for (uint64_t word = piece[i]; word != 0; word &= word - 1) {
        *out++ = static_cast<uint16_t>(i * 64 + static_cast<size_t>(__builtin_ctzll(word)));
      }
    }
    container->cardinality = rows;
    ra_append(array, key, container, ARRAY_CONTAINER_TYPE_CODE);
  }
  return bitmap;
}

size_t BitmapBytes(const Roaring& bitmap) {
  const roaring_array_t& array = bitmap.roaring.high_low_container;
  constexpr size_t kContainerOverhead = 32;  // its header and what the allocator adds to two pieces of memory
  size_t bytes = static_cast<size_t>(array.allocation_size) * (sizeof(void*) + sizeof(uint16_t) + 1);
  for (int32_t i = 0; i < array.size; ++i) {
    uint8_t type = array.typecodes[i];
    const void* const container = container_unwrap_shared(array.containers[i], &type);
    bytes += kContainerOverhead;
    if (type == BITSET_CONTAINER_TYPE_CODE) {
      bytes += kContainerWords * sizeof(uint64_t);
    } else if (type == ARRAY_CONTAINER_TYPE_CODE) {
      bytes += static_cast<size_t>(static_cast<const array_container_t*>(container)->capacity) * sizeof(uint16_t);
    } else {
      bytes += static_cast<size_t>(static_cast<const run_container_t*>(container)->capacity) * sizeof(rle16_t);
    }
  }
  return bytes;
}

void RowUnion::Add(const Roaring& bitmap) {
  if (bitmap.isEmpty()) return;
  Spread();
  WordOf(bitmap.maximum());
  OrInto(bitmap, absl::MakeSpan(words_));
}

void RowUnion::Add(absl::Span<const uint32_t> rows) {
  if (!spread_) {
    few_.insert(few_.end(), rows.begin(), rows.end());
    if (few_.size() > kFew) Spread();
    return;
  }
  for (const uint32_t row : rows) WordOf(row) |= uint64_t{1} << (row % 64);
}

uint64_t& RowUnion::WordOf(uint32_t row) {
  const size_t word = row / 64;
  // In whole containers: a step rarely taken, not one for every row that is the largest so far.
  if (word >= words_.size()) words_.resize((word / kContainerWords + 1) * kContainerWords);
  return words_[word];
}

void RowUnion::Spread() {
  if (spread_) return;
  spread_ = true;
  for (const uint32_t row : few_) WordOf(row) |= uint64_t{1} << (row % 64);
  few_.clear();
}

Roaring RowUnion::Take() {
  if (spread_) return FromWords(words_);
  std::sort(few_.begin(), few_.end());
  return Roaring(few_.size(), few_.data());
}

}  // namespace sightline::index
