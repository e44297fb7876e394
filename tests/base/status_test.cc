#include "base/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sightline::base {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(StatusTest, KeepsReasonFactsAndRetryDelay) {
  const absl::Status status = RetryableError(absl::StatusCode::kResourceExhausted, "QUEUE_FULL", "full. Wait.",
                                             absl::Milliseconds(250), {{"limit", "64"}, {"actual", "65"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const ErrorInfo info = GetErrorInfo(status);
  EXPECT_EQ(info.reason, "QUEUE_FULL");
  EXPECT_EQ(info.retry_after, absl::Milliseconds(250));
  EXPECT_THAT(info.facts, ElementsAre(Pair("limit", "64"), Pair("actual", "65")));
}

TEST(StatusTest, SeparatorsInFactsDoNotForgeOtherFacts) {
  const absl::Status status = InvalidArgument("BAD_ID", "bad. Fix it.", {{"id", "a\x1e\x01reason\x1fOTHER"}});
  const ErrorInfo info = GetErrorInfo(status);
  EXPECT_EQ(info.reason, "BAD_ID");
  ASSERT_EQ(info.facts.size(), 1u);
  EXPECT_EQ(info.facts[0].first, "id");
}

TEST(StatusTest, EmptyFactValueSurvives) {
  const ErrorInfo info = GetErrorInfo(InvalidArgument("R", "m", {{"a", ""}, {"b", "2"}}));
  EXPECT_THAT(info.facts, ElementsAre(Pair("a", ""), Pair("b", "2")));
}

TEST(StatusTest, ForeignStatusHasUnknownReason) { EXPECT_EQ(GetErrorInfo(absl::InternalError("x")).reason, "UNKNOWN"); }

absl::StatusOr<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument("ODD", "odd. Use an even number.");
  return value / 2;
}

absl::StatusOr<int> Quarter(int value) {
  SIGHTLINE_ASSIGN_OR_RETURN(const int half, Half(value));
  SIGHTLINE_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST(StatusTest, AssignOrReturnPassesValuesAndErrors) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(GetErrorInfo(Quarter(6).status()).reason, "ODD");
}

}  // namespace
}  // namespace sightline::base
