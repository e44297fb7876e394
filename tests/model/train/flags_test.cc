#include "model/train/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace sightline::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<FlagSpec> kSpecs = {{"out", "DIR"}, {"seed", "N"}, {"json", ""}};

TEST(FlagsTest, ReadsBothForms) {
  const absl::StatusOr<Flags> flags = Flags::Parse({"a", "--out", "x", "--seed=7", "--json", "b"}, kSpecs);
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->Text("out", ""), "x");
  EXPECT_EQ(*flags->Integer("seed", 1), 7);
  EXPECT_EQ(*flags->Number("seed", 1), 7.0);
  EXPECT_TRUE(flags->Has("json"));
  EXPECT_THAT(flags->positional(), ElementsAre("a", "b"));
}

TEST(FlagsTest, AbsentFlagsHaveTheirDefaults) {
  const absl::StatusOr<Flags> flags = Flags::Parse({}, kSpecs);
  EXPECT_EQ(flags->Text("out", "here"), "here");
  EXPECT_EQ(*flags->Integer("seed", 3), 3);
  EXPECT_EQ(*flags->Number("seed", 0.5), 0.5);
  EXPECT_FALSE(flags->Has("json"));
}

TEST(FlagsTest, MistakesAreNamed) {
  const absl::Status unknown = Flags::Parse({"--sede", "1"}, kSpecs).status();
  EXPECT_EQ(base::GetErrorInfo(unknown).reason, "FLAG_UNKNOWN");
  EXPECT_EQ(unknown.message(), "flag --sede is not known. Give one of --out, --seed, --json, or --help.");
  EXPECT_THAT(std::string(Flags::Parse({"--out"}, kSpecs).status().message()), HasSubstr("has no value"));
  EXPECT_THAT(std::string(Flags::Parse({"--json=1"}, kSpecs).status().message()), HasSubstr("takes no value"));
  const absl::StatusOr<Flags> flags = Flags::Parse({"--seed", "one"}, kSpecs);
  EXPECT_EQ(base::GetErrorInfo(flags->Integer("seed", 1).status()).reason, "FLAG_INVALID");
  EXPECT_EQ(flags->Number("seed", 1).status().message(), "flag --seed is \"one\", which is not a number. Give one.");
}

TEST(FlagsTest, NumbersHaveBounds) {
  const std::vector<FlagSpec> specs = {{"count", "N"}, {"threads", "N"}};
  const auto flags = Flags::Parse({"--count", "3000000000", "--threads", "1024"}, specs);
  EXPECT_EQ(*flags->IntegerWithin("count", 1, 0, 3'000'000'000), 3'000'000'000);
  EXPECT_EQ(flags->IntegerWithin("count", 1, 4, 10).status().message(), "--count is 3000000000. Give 4 to 10.");
  EXPECT_EQ(base::GetErrorInfo(flags->Int("count", 1).status()).reason, "SETTING_OUT_OF_RANGE");
  EXPECT_EQ(*flags->Threads(), 1024);
  EXPECT_EQ(*flags->Int("threads", 1), 1024);
  EXPECT_EQ(*Flags::Parse({}, specs)->Threads(), 0);
  for (const char* threads : {"-1", "1025", "4294967297"}) {
    const auto wrong = Flags::Parse({"--threads", threads}, specs)->Threads();
    EXPECT_EQ(base::GetErrorInfo(wrong.status()).reason, "SETTING_OUT_OF_RANGE") << threads;
  }
}

}  // namespace
}  // namespace sightline::train
