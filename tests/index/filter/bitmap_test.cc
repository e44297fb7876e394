#include "index/filter/bitmap.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sightline::index {
namespace {

std::vector<uint32_t> RowsOf(const Roaring& bitmap) {
  std::vector<uint32_t> rows(bitmap.cardinality());
  bitmap.toUint32Array(rows.data());
  return rows;
}

std::vector<uint32_t> RowsOf(const std::vector<uint64_t>& words) {
  std::vector<uint32_t> rows;
  for (uint32_t row = 0; row < words.size() * 64; ++row) {
    if ((words[row / 64] >> (row % 64) & 1) != 0) rows.push_back(row);
  }
  return rows;
}

// Bitmaps with every kind of container: empty, few rows, many, runs, full, and mixtures.
std::vector<Roaring> ManyBitmaps() {
  std::mt19937 random(3);
  std::vector<Roaring> bitmaps(1);
  for (const uint32_t share : {1, 2, 10, 1000, 100'000}) {
    for (const uint32_t rows : {1u, 63u, 64u, 65'535u, 65'536u, 65'537u, 200'000u}) {
      Roaring bitmap;
      for (uint32_t row = 0; row < rows; ++row) {
        if (random() % share == 0) bitmap.add(row);
      }
      bitmaps.push_back(bitmap);
      bitmap.addRange(rows / 3, rows / 2);
      bitmap.runOptimize();
      bitmaps.push_back(bitmap);
    }
  }
  // Arrays and words on both sides of the 4,096 rows where Roaring changes over.
  for (const uint32_t rows : {4095u, 4096u, 4097u}) {
    Roaring bitmap;
    for (uint32_t i = 0; i < rows; ++i) bitmap.add(i * 2 + 65'536);
    bitmaps.push_back(bitmap);
  }
  return bitmaps;
}

TEST(BitmapTest, WordsAndBack) {
  for (const Roaring& bitmap : ManyBitmaps()) {
    for (const uint32_t row_count : {0u, 1u, 64u, 100u, 65'536u, 70'001u, 200'000u}) {
      RowBits bits{std::vector<uint64_t>(3, ~uint64_t{0})};
      ToRowBits(bitmap, row_count, bits);
      std::vector<uint32_t> expected = RowsOf(bitmap);
      while (!expected.empty() && expected.back() >= row_count) expected.pop_back();
      ASSERT_EQ(bits.words.size(), (row_count + 63) / 64);
      ASSERT_EQ(RowsOf(bits.words), expected);
      const Roaring back = FromWords(bits.words);
      ASSERT_EQ(RowsOf(back), expected);
      ASSERT_EQ(back.cardinality(), expected.size());
      // What was made by hand is a bitmap like any other.
      Roaring changed = back;
      changed.add(77);
      changed -= bitmap;
      ASSERT_EQ(changed.cardinality(), bitmap.contains(77) ? 0u : 1u);
    }
  }
}

TEST(BitmapTest, UnionsAndDifferences) {
  const std::vector<Roaring> bitmaps = ManyBitmaps();
  std::mt19937 random(4);
  for (int i = 0; i < 300; ++i) {
    const Roaring& a = bitmaps[random() % bitmaps.size()];
    const Roaring& b = bitmaps[random() % bitmaps.size()];
    RowBits words;
    ToRowBits(a, 200'000, words);
    OrInto(b, absl::MakeSpan(words.words));
    ASSERT_EQ(FromWords(words.words), a | b);
    ToRowBits(a, 200'000, words);
    AndNotInto(b, absl::MakeSpan(words.words));
    ASSERT_EQ(FromWords(words.words), a - b);

    RowUnion rows;
    const std::vector<uint32_t> few = {5, 300'000, 17, 17, static_cast<uint32_t>(random() % 1000)};
    rows.Add(few);
    if (i % 2 == 0) rows.Add(a);
    rows.Add(few);
    if (i % 3 == 0) rows.Add(b);
    Roaring expected(few.size(), few.data());
    if (i % 2 == 0) expected |= a;
    if (i % 3 == 0) expected |= b;
    ASSERT_EQ(rows.Take(), expected);
  }
}

}  // namespace
}  // namespace sightline::index
