#include "index/filter/number_key.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/index/filter/naive_filter.h"

namespace sightline::index {
namespace {

TEST(NumberKeyTest, KeepsTheOrder) {
  const std::vector<double> doubles = {-HUGE_VAL, -1e300, -9223372036854775808.0, -2.5,  -1,      -5e-324, 0,
                                       5e-324,    1,      9007199254740993.0,     1e300, HUGE_VAL};
  for (size_t i = 0; i + 1 < doubles.size(); ++i) {
    EXPECT_LT(NumberKey(doubles[i]), NumberKey(doubles[i + 1]));
    EXPECT_EQ(DoubleOf(NumberKey(doubles[i])), doubles[i]);
  }
  EXPECT_EQ(NumberKey(-0.0), NumberKey(0.0));
  const std::vector<int64_t> whole = {std::numeric_limits<int64_t>::min(), -1, 0, 1,
                                      std::numeric_limits<int64_t>::max()};
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_TRUE(i == 0 || NumberKey(whole[i - 1]) < NumberKey(whole[i]));
    EXPECT_EQ(WholeNumberOf(NumberKey(whole[i])), whole[i]);
  }
}

TEST(NumberKeyTest, BoundsAreExact) {
  RandomFilters random(11);
  for (int i = 0; i < 200'000; ++i) {
    const auto op = static_cast<CompareOp>(random.Below(6));
    if (op == CompareOp::kNotEqual) continue;
    const FilterValue bound = random.Below(2) == 0 ? FilterValue(random.Whole()) : FilterValue(random.Fraction());
    const int64_t whole = random.Whole();
    const double fraction = random.Below(20) == 0 ? -HUGE_VAL : random.Fraction();
    const NumberRange wholes = WholeNumbers(op, bound);
    const NumberRange doubles = Doubles(op, bound);
    ASSERT_EQ(wholes.least <= NumberKey(whole) && NumberKey(whole) <= wholes.most,
              NaiveCompare(AttributeValue(whole), op, bound));
    ASSERT_EQ(doubles.least <= NumberKey(fraction) && NumberKey(fraction) <= doubles.most,
              NaiveCompare(AttributeValue(fraction), op, bound));
  }
  const FilterValue nan = std::nan("");
  EXPECT_GT(WholeNumbers(CompareOp::kLess, nan).least, WholeNumbers(CompareOp::kLess, nan).most);
  EXPECT_GT(Doubles(CompareOp::kEqual, nan).least, Doubles(CompareOp::kEqual, nan).most);
}

}  // namespace
}  // namespace sightline::index
