#include "server/observe/columns.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_split.h"

namespace sightline::server {
namespace {

TEST(ColumnsTest, ShortLinesStay) {
  EXPECT_EQ(FitColumns(""), "");
  EXPECT_EQ(FitColumns("a\n\n  b\n"), "a\n\n  b\n");
}

TEST(ColumnsTest, LongLinesBreakAtSpaces) {
  EXPECT_EQ(FitColumns("one two three four", 9), "one two\n    three\n    four");
  EXPECT_EQ(FitColumns("  abcdefghijkl", 10), "  abcdefgh\n      ijkl");
}

TEST(ColumnsTest, NothingIsWiderOrLost) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (unsigned i = 0; i < random() % 600; ++i) text += "  abcde\n"[random() % 8];
    const std::string fitted = FitColumns(text, 30);
    for (const absl::string_view line : absl::StrSplit(fitted, '\n')) EXPECT_LE(line.size(), 30u);
    const auto letters = [](std::string all) {
      std::erase_if(all, [](char c) { return c == ' ' || c == '\n'; });
      return all;
    };
    EXPECT_EQ(letters(fitted), letters(text));
  }
}

TEST(ColumnsTest, ControlCharactersAreShownAsSuch) {
  EXPECT_EQ(Printable(std::string("a\nb\x1b[2Jc\0d", 10)), "a?b?[2Jc?d");
  EXPECT_EQ(Printable("\xC2\x9B"
                      "2J \xC3\xA9 \xC2\xA0 \xC2"),
            "?2J \xC3\xA9 \xC2\xA0 \xC2");
}

}  // namespace
}  // namespace sightline::server
