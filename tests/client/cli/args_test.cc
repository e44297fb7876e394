#include "client/cli/args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace sightline::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<FlagSpec>& Flags() {
  static const auto* const flags =
      new std::vector<FlagSpec>{{.name = "top_k", .short_name = 'k', .kind = FlagKind::kInt, .value = "N"},
                                {.name = "exact", .kind = FlagKind::kSwitch},
                                {.name = "crop", .value = "BOX", .repeated = true},
                                {.name = "min_score", .kind = FlagKind::kNumber, .value = "X"},
                                {.name = "timeout", .kind = FlagKind::kDuration, .value = "TIME"}};
  return *flags;
}

absl::StatusOr<Args> Parse(const std::vector<std::string>& words) { return ParseArgs("search", Flags(), words); }

std::string ErrorOf(const std::vector<std::string>& words) {
  const auto args = Parse(words);
  return args.ok() ? "no error" : std::string(args.status().message());
}

TEST(ArgsTest, TakesEveryWayToWriteAFlag) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--top_k", "7"}, {"--top_k=7"}, {"--top-k", "7"}, {"-k", "7"}, {"-k7"}}) {
    const auto args = Parse(words);
    ASSERT_TRUE(args.ok()) << args.status();
    EXPECT_EQ(args->Int("top_k", 10), 7) << words[0];
    EXPECT_TRUE(args->operands().empty());
  }
}

TEST(ArgsTest, MixesFlagsAndOperands) {
  const auto args = Parse({"a.jpg", "--exact", "b.jpg", "-k", "3", "--", "--c.jpg", "-"});
  ASSERT_TRUE(args.ok());
  EXPECT_THAT(args->operands(), ElementsAre("a.jpg", "b.jpg", "--c.jpg", "-"));
  EXPECT_TRUE(args->Switch("exact"));
  EXPECT_EQ(args->Int("top_k", 10), 3);
}

TEST(ArgsTest, ASwitchCanBeTurnedOff) {
  const auto args = Parse({"--exact", "--exact=false"});
  ASSERT_TRUE(args.ok());
  EXPECT_FALSE(args->Switch("exact"));
}

TEST(ArgsTest, ANegativeNumberIsAValue) {
  const auto args = Parse({"--min_score", "-0.5"});
  ASSERT_TRUE(args.ok());
  EXPECT_DOUBLE_EQ(args->Number("min_score", 0), -0.5);
}

TEST(ArgsTest, RepeatedFlagsKeepAllOthersTheLast) {
  const auto args = Parse({"--crop", "a", "--crop=b=c", "-k1", "-k2"});
  ASSERT_TRUE(args.ok());
  EXPECT_THAT(args->Texts("crop"), ElementsAre("a", "b=c"));
  EXPECT_EQ(args->Int("top_k", 0), 2);
}

TEST(ArgsTest, ReadsTimes) {
  EXPECT_EQ(Parse({"--timeout", "5"})->Span("timeout", {}), absl::Seconds(5));
  EXPECT_EQ(Parse({"--timeout", "0.5"})->Span("timeout", {}), absl::Milliseconds(500));
  EXPECT_EQ(Parse({"--timeout", "500ms"})->Span("timeout", {}), absl::Milliseconds(500));
  EXPECT_EQ(Parse({"--timeout", "2m"})->Span("timeout", {}), absl::Minutes(2));
  EXPECT_FALSE(Parse({"--timeout", "0"}).ok());
  EXPECT_FALSE(Parse({"--timeout", "-1s"}).ok());
  EXPECT_FALSE(Parse({"--timeout", "nan"}).ok());
}

TEST(ArgsTest, SaysWhatIsWrong) {
  EXPECT_EQ(ErrorOf({"--topk", "3"}), "unknown flag --topk. Did you mean --top_k?");
  EXPECT_EQ(ErrorOf({"--zzzzzz"}), "unknown flag --zzzzzz. Run \"sightline search --help\" for the flags it takes.");
  EXPECT_THAT(ErrorOf({"-q"}), HasSubstr("unknown flag -q."));
  EXPECT_THAT(ErrorOf({"-k"}), HasSubstr("--top_k needs a value (N)."));
  EXPECT_THAT(ErrorOf({"-k", "five"}), HasSubstr("--top_k is \"five\"; it takes a whole number."));
  EXPECT_THAT(ErrorOf({"--min_score", "inf"}), HasSubstr("it takes a number."));
  EXPECT_THAT(ErrorOf({"--exact=perhaps"}), HasSubstr("it takes true or false."));
  EXPECT_THAT(ErrorOf({"--\x1b[31m"}), HasSubstr("\\x1b[31m"));
  EXPECT_EQ(base::GetErrorInfo(Parse({"-q"}).status()).reason, "USAGE");
}

}  // namespace
}  // namespace sightline::cli
