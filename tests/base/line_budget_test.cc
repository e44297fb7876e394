#include "base/line_budget.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace sightline::base {
namespace {

int TakeAll(LineBudget& lines) {
  int taken = 0;
  while (lines.Take()) ++taken;
  return taken;
}

TEST(LineBudgetTest, GivesWhatASecondHoldsAndNoMore) {
  testing::FakeClock clock;
  LineBudget lines(clock, 5);
  EXPECT_EQ(TakeAll(lines), 5);
  clock.Advance(absl::Milliseconds(500));
  EXPECT_EQ(TakeAll(lines), 2);
  clock.Advance(absl::Milliseconds(100));
  EXPECT_EQ(TakeAll(lines), 1);  // the rest of a line is not lost
  clock.Advance(absl::Hours(1));
  EXPECT_EQ(TakeAll(lines), 5);  // nor are hours of lines saved up
}

TEST(LineBudgetTest, ZeroIsNone) {
  testing::FakeClock clock;
  LineBudget lines(clock, 0);
  clock.Advance(absl::Hours(1));
  EXPECT_EQ(TakeAll(lines), 0);
}

}  // namespace
}  // namespace sightline::base
