#include "server/observe/columns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "absl/strings/str_split.h"
#include "tests/support/seed.h"

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
  const unsigned seed = sightline::testing::Seed();
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

// Bytes that look like the middle of a character, one behind the other, have no place where they may be broken.
TEST(ColumnsTest, WhatIsNoUtf8IsBrokenToo) {
  for (const size_t columns : {size_t{8}, size_t{30}, size_t{100}}) {
    for (size_t indent = 0; indent < 2 * columns; ++indent) {
      const std::string fitted = FitColumns(std::string(indent, ' ') + std::string(1000, '\x80'), columns);
      EXPECT_EQ(std::count(fitted.begin(), fitted.end(), '\x80'), 1000);
      for (const absl::string_view line : absl::StrSplit(fitted, '\n')) EXPECT_LE(line.size(), columns);
    }
  }
}

TEST(ColumnsTest, CharactersStayWhole) {
  const std::string fitted = FitColumns(
      "  " +
          [] {
            std::string text;
            for (int i = 0; i < 300; ++i) text += "\xF0\x9F\x93\xB7";
            return text;
          }(),
      30);
  for (const absl::string_view line : absl::StrSplit(fitted, '\n')) {
    EXPECT_LE(line.size(), 30u);
    EXPECT_EQ(line.substr(line.find_first_not_of(' ')).size() % 4, 0u);
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
