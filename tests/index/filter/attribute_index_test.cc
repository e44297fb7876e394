#include "index/filter/attribute_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "index/filter/filter_parser.h"
#include "tests/index/filter/naive_filter.h"

namespace sightline::index {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::vector<uint32_t> Rows(const Roaring& bitmap) {
  std::vector<uint32_t> rows(bitmap.cardinality());
  bitmap.toUint32Array(rows.data());
  return rows;
}

std::vector<uint32_t> Find(const AttributeIndex& index, absl::string_view text, uint32_t row_count = 10) {
  const auto filter = ParseFilter(text);
  EXPECT_TRUE(filter.ok()) << filter.status();
  return filter.ok() ? Rows(index.Evaluate(*filter, row_count)) : std::vector<uint32_t>();
}

// std::variant's == takes a NaN for different from itself.
bool SameValue(const AttributeValue& a, const AttributeValue& b) {
  if (const auto* x = std::get_if<double>(&a)) {
    const auto* y = std::get_if<double>(&b);
    return y != nullptr && std::memcmp(x, y, sizeof *x) == 0;
  }
  return a == b;
}

bool SameAttributes(const Attributes& a, const Attributes& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && SameValue(x.second, y.second); });
}

TEST(AttributeIndexTest, FindsNothingWhereNothingIs) {
  const AttributeIndex index;
  EXPECT_THAT(Find(index, "a = 1"), IsEmpty());
  EXPECT_THAT(Find(index, "a != 1"), IsEmpty());
  EXPECT_THAT(Find(index, "EXISTS a"), IsEmpty());
  EXPECT_THAT(Find(index, "NOT a = 1", 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(Find(index, "", 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(Find(index, "", 0), IsEmpty());
  EXPECT_THAT(index.AttributesOf(5), IsEmpty());
  EXPECT_EQ(index.ValueAt(5, "a"), std::nullopt);
  EXPECT_EQ(index.GroupId(5, "a"), std::nullopt);
  EXPECT_THAT(index.CountValues("a", Roaring()), IsEmpty());
}

TEST(AttributeIndexTest, TellsTypesAndAbsenceApart) {
  AttributeIndex index;
  index.Set(0, {{"a", "1"}});
  index.Set(1, {{"a", int64_t{1}}});
  index.Set(2, {{"a", 1.0}});
  index.Set(3, {{"a", true}});
  index.Set(4, {{"a", std::vector<std::string>{"1", "2"}}});
  index.Set(5, {{"a", std::vector<std::string>{}}});
  index.Set(6, {{"b", "1"}});
  EXPECT_THAT(Find(index, "a = '1'"), ElementsAre(0, 4));
  EXPECT_THAT(Find(index, "a = 1"), ElementsAre(1, 2));
  EXPECT_THAT(Find(index, "a = 1.0"), ElementsAre(1, 2));
  EXPECT_THAT(Find(index, "a = true"), ElementsAre(3));
  EXPECT_THAT(Find(index, "a != 1"), ElementsAre(0, 3, 4, 5));
  EXPECT_THAT(Find(index, "a != '1'"), ElementsAre(1, 2, 3, 5));
  EXPECT_THAT(Find(index, "a > '1'"), ElementsAre(4));
  EXPECT_THAT(Find(index, "EXISTS a"), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(Find(index, "NOT EXISTS a", 8), ElementsAre(6, 7));
  EXPECT_THAT(Find(index, "NOT a = 1", 8), ElementsAre(0, 3, 4, 5, 6, 7));
  EXPECT_THAT(Find(index, "a IN ('2', 1, true)"), ElementsAre(1, 2, 3, 4));
}

TEST(AttributeIndexTest, ComparesWholeNumbersWithDoublesExactly) {
  constexpr int64_t kBig = (int64_t{1} << 53) + 1;
  AttributeIndex index;
  index.Set(0, {{"a", kBig}});
  index.Set(1, {{"a", 9007199254740992.0}});
  index.Set(2, {{"a", std::numeric_limits<int64_t>::max()}});
  index.Set(3, {{"a", 9223372036854775808.0}});
  index.Set(4, {{"a", -0.0}});
  index.Set(5, {{"a", std::nan("")}});
  EXPECT_THAT(Find(index, "a = 9007199254740993"), ElementsAre(0));
  EXPECT_THAT(Find(index, "a = 9007199254740992.0"), ElementsAre(1));
  EXPECT_THAT(Find(index, "a > 9007199254740992.0"), ElementsAre(0, 2, 3));
  EXPECT_THAT(Find(index, "a < 9007199254740993"), ElementsAre(1, 4));
  EXPECT_THAT(Find(index, "a = 9223372036854775807"), ElementsAre(2));
  EXPECT_THAT(Find(index, "a >= 9223372036854775807"), ElementsAre(2, 3));
  EXPECT_THAT(Find(index, "a < 9223372036854775808.0"), ElementsAre(0, 1, 2, 4));
  EXPECT_THAT(Find(index, "a = 0"), ElementsAre(4));
  EXPECT_THAT(Find(index, "a != 0"), ElementsAre(0, 1, 2, 3, 5));
}

TEST(AttributeIndexTest, GroupsEqualValues) {
  AttributeIndex index;
  index.Set(0, {{"a", "x"}});
  index.Set(1, {{"a", std::vector<std::string>{"x", "y"}}});
  index.Set(2, {{"a", int64_t{3}}});
  index.Set(3, {{"a", 3.0}});
  index.Set(4, {{"a", 3.5}});
  index.Set(5, {{"a", true}});
  index.Set(6, {{"a", std::vector<std::string>{}}});
  index.Set(7, {{"a", "y"}});
  EXPECT_EQ(index.GroupId(0, "a"), index.GroupId(1, "a"));
  EXPECT_EQ(index.GroupId(2, "a"), index.GroupId(3, "a"));
  EXPECT_EQ(index.GroupId(6, "a"), std::nullopt);
  std::set<uint64_t> groups;
  for (const uint32_t row : {0, 2, 4, 5, 7}) groups.insert(index.GroupId(row, "a").value());
  EXPECT_EQ(groups.size(), 5u);

  AttributeIndex other;
  other.Set(9, {{"b", "-"}, {"a", "x"}});
  EXPECT_EQ(other.GroupId(9, "a"), index.GroupId(0, "a"));
}

TEST(AttributeIndexTest, CountsValues) {
  AttributeIndex index;
  index.Set(0, {{"a", "x"}});
  index.Set(1, {{"a", std::vector<std::string>{"x", "y", "x"}}});
  index.Set(2, {{"a", int64_t{3}}});
  index.Set(3, {{"a", int64_t{3}}});
  index.Set(4, {{"a", 3.5}});
  index.Set(5, {{"a", true}});
  index.Set(6, {{"a", "z"}});
  Roaring rows;
  rows.addRange(0, 6);
  EXPECT_THAT(index.CountValues("a", rows),
              UnorderedElementsAre(std::pair(AttributeValue("x"), 2), std::pair(AttributeValue("y"), 1),
                                   std::pair(AttributeValue(int64_t{3}), 2), std::pair(AttributeValue(3.5), 1),
                                   std::pair(AttributeValue(true), 1)));
}

// Random writes, and after some of them every way of asking, against the plain evaluator.
class AttributeIndexRandomTest : public ::testing::Test {
 protected:
  void Check(const AttributeIndex& index, const std::map<uint32_t, Attributes>& truth, uint32_t row_count,
             int filters) {
    Roaring universe;
    for (uint32_t row = 0; row < row_count; ++row) {
      if (random_.Below(8) > 0) universe.add(row);
    }
    const auto attributes_of = [&truth](uint32_t row) {
      const auto found = truth.find(row);
      return found == truth.end() ? Attributes() : found->second;
    };
    for (int i = 0; i < filters; ++i) {
      const Filter filter(random_.Node(4));
      std::vector<uint32_t> all;
      std::vector<uint32_t> live;
      for (uint32_t row = 0; row < row_count; ++row) {
        if (!NaiveMatches(filter.root(), attributes_of(row))) continue;
        all.push_back(row);
        if (universe.contains(row)) live.push_back(row);
      }
      ASSERT_EQ(Rows(index.Evaluate(filter, row_count)), all) << filter.ToString();
      ASSERT_EQ(Rows(index.Evaluate(filter, universe)), live) << filter.ToString();
    }
    for (uint32_t row = 0; row < row_count; ++row) {
      const Attributes attributes = attributes_of(row);
      ASSERT_TRUE(SameAttributes(index.AttributesOf(row), attributes)) << row;
      const std::string key = random_.Key();
      const auto found = attributes.find(key);
      const auto value = index.ValueAt(row, key);
      ASSERT_EQ(value.has_value(), found != attributes.end());
      ASSERT_TRUE(!value || SameValue(*value, found->second));
    }
  }

  RandomFilters random_{20240501};
};

TEST_F(AttributeIndexRandomTest, AgreesWithThePlainEvaluator) {
  for (int round = 0; round < 20; ++round) {
    AttributeIndex index;
    std::map<uint32_t, Attributes> truth;
    const uint32_t rows = 1 + random_.Below(400);
    for (int step = 0; step < 8; ++step) {
      for (uint32_t i = 0; i < rows; ++i) {
        const uint32_t row = random_.Below(rows);
        if (random_.Below(5) == 0) {
          index.Clear(row);
          truth.erase(row);
        } else {
          truth[row] = random_.Some();
          index.Set(row, truth[row]);
        }
      }
      Check(index, truth, rows, 20);
      if (HasFatalFailure()) return;
    }
    // A copy stands on its own feet.
    AttributeIndex copy = index;
    for (uint32_t row = 0; row < rows; ++row) index.Set(row, {{"k0", "other"}});
    Check(copy, truth, rows, 20);
    if (HasFatalFailure()) return;
  }
}

// Enough rows for blocks, milestones and every kind of container, with numbers that change.
TEST_F(AttributeIndexRandomTest, AgreesOnManyRows) {
  constexpr uint32_t kRows = 150'000;
  AttributeIndex index;
  std::vector<int64_t> price(kRows);
  std::vector<double> weight(kRows);
  const auto set = [&](uint32_t row) {
    price[row] = static_cast<int64_t>(random_.Below(1'000'000));
    weight[row] = row % 3 == 0 ? static_cast<double>(random_.Below(10)) : row * 0.5;
    index.Set(row, {{"price", price[row]},
                    {"weight", weight[row]},
                    {"half", row % 2 == 0},
                    {"rare", absl::StrCat("r", row % 5000)},
                    {"run", absl::StrCat(row / 40'000)}});
  };
  const auto check = [&] {
    for (int i = 0; i < 30; ++i) {
      int64_t low = static_cast<int64_t>(random_.Below(1'000'000));
      int64_t high = static_cast<int64_t>(random_.Below(1'000'000));
      if (i % 3 == 0) high = low + static_cast<int64_t>(random_.Below(3000));
      const double bound = random_.Below(2) == 0 ? random_.Below(10) : random_.Below(kRows) * 0.5;
      const auto filter = ParseFilter(absl::StrCat("price >= ", low, " AND price < ", high, " AND NOT weight > ", bound,
                                                   i % 2 == 0 ? " AND half = true" : " OR run = '2' AND rare < 'r2'"));
      ASSERT_TRUE(filter.ok()) << filter.status();
      const bool halves = i % 2 == 0;
      std::vector<uint32_t> expected;
      for (uint32_t row = 0; row < kRows; ++row) {
        const bool first = price[row] >= low && price[row] < high && weight[row] <= bound;
        const bool second = row / 40'000 == 2 && absl::StrCat("r", row % 5000) < "r2";
        if (halves ? first && row % 2 == 0 : first || second) expected.push_back(row);
      }
      ASSERT_EQ(Rows(index.Evaluate(*filter, kRows)), expected) << filter->ToString();
    }
  };
  for (uint32_t row = 0; row < kRows; ++row) set(row);
  check();
  // Rows are written again until most blocks and texts have been, and memory does not grow with the writes.
  const size_t before = index.memory_bytes();
  for (uint32_t i = 0; i < 2 * kRows; ++i) set(random_.Below(kRows));
  check();
  EXPECT_LT(index.memory_bytes(), 2 * before);
  for (uint32_t row = 0; row < kRows; ++row) index.Clear(row);
  EXPECT_THAT(Find(index, "EXISTS price OR EXISTS rare", kRows), IsEmpty());
  EXPECT_THAT(Find(index, "price >= 0 OR weight < 1e9", kRows), IsEmpty());
}

}  // namespace
}  // namespace sightline::index
