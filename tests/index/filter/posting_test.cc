#include "index/filter/posting.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace sightline::index {
namespace {

TEST(PostingTest, IsASetOfRows) {
  std::mt19937 random(5);
  for (const uint32_t rows : {1u, 4u, 5u, 32u, 33u, 40u, 1000u}) {
    Posting posting;
    std::set<uint32_t> truth;
    for (int i = 0; i < 3000; ++i) {
      const uint32_t row = random() % rows * 7;
      if (random() % 3 != 0) {
        posting.Add(row);
        truth.insert(row);
      } else {
        ASSERT_EQ(posting.Remove(row), truth.erase(row) > 0);
      }
      ASSERT_EQ(posting.size(), truth.size());
      ASSERT_EQ(posting.empty(), truth.empty());
    }
    const Posting copy = posting;
    posting.Clear();
    ASSERT_TRUE(posting.empty());
    const std::vector<uint32_t> expected(truth.begin(), truth.end());
    ASSERT_EQ(copy.ToBitmap(), Roaring(expected.size(), expected.data()));
    Roaring half;
    half.addRange(0, rows * 7 / 2);
    ASSERT_EQ(copy.CountIn(half), copy.ToBitmap().and_cardinality(half));
  }
}

}  // namespace
}  // namespace sightline::index
