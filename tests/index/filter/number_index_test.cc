#include "index/filter/number_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace sightline::index {
namespace {

std::vector<uint32_t> ListOf(const Roaring& bitmap) {
  std::vector<uint32_t> rows(bitmap.cardinality());
  bitmap.toUint32Array(rows.data());
  return rows;
}

// Against a map, through growth, churn that drifts upwards, and shrinking to nothing.
TEST(NumberIndexTest, AgreesWithAMap) {
  for (const uint64_t spread : {1u, 50u, 1'000'000u}) {
    std::mt19937 random(6);
    NumberIndex index;
    std::set<std::pair<uint64_t, uint32_t>> truth;
    std::map<uint32_t, uint64_t> number_of;
    const auto remove = [&](uint32_t row) {
      const auto found = number_of.find(row);
      if (found == number_of.end()) return;
      index.Remove(found->second, row);
      truth.erase({found->second, row});
      number_of.erase(found);
    };
    const auto check = [&] {
      for (int i = 0; i < 12; ++i) {
        uint64_t least = random() % (2 * spread);
        uint64_t most = i % 5 == 0 ? std::numeric_limits<uint64_t>::max() : random() % (2 * spread);
        if (i % 7 == 0) least = 0;
        std::vector<uint32_t> expected;
        for (auto it = truth.lower_bound({least, 0}); it != truth.end() && it->first <= most; ++it) {
          expected.push_back(it->second);
        }
        std::sort(expected.begin(), expected.end());
        ASSERT_EQ(ListOf(index.Range(least, most)), expected);
      }
      size_t entries = 0;
      auto next = truth.begin();
      index.ForEach([&](uint64_t number, uint32_t row) {
        ++entries;
        ASSERT_TRUE(next != truth.end() && *next == std::pair(number, row));
        ++next;
      });
      ASSERT_EQ(entries, truth.size());
    };
    constexpr uint32_t kRows = 90'000;
    for (int step = 0; step < 2; ++step) {
      for (uint32_t i = 0; i < kRows; ++i) {
        const uint32_t row = random() % kRows;
        remove(row);
        const uint64_t number = random() % spread + static_cast<uint64_t>(step) * (spread / 2);
        index.Add(number, row);
        truth.insert({number, row});
        number_of[row] = number;
      }
      index.Compress();
      check();
      if (HasFatalFailure()) return;
    }
    for (uint32_t row = 0; row < kRows; ++row) {
      if (row % 50 != 0) remove(row);
    }
    check();
    if (HasFatalFailure()) return;
    EXPECT_LT(index.memory_bytes(), size_t{1} << 20) << "what is left is " << truth.size() << " entries";
    for (uint32_t row = 0; row < kRows; ++row) remove(row);
    check();
    EXPECT_TRUE(index.empty());
  }
}

}  // namespace
}  // namespace sightline::index
