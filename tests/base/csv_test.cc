#include "base/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "tests/support/seed.h"

namespace sightline::base {
namespace {

using ::testing::HasSubstr;
using Rows = std::vector<std::vector<std::string>>;

absl::StatusOr<Rows> ReadAll(absl::string_view text, const CsvLimits& limits = {}) {
  SIGHTLINE_ASSIGN_OR_RETURN(CsvReader csv, CsvReader::Open("table.csv", text, limits));
  Rows rows = {csv.columns()};
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return rows;
    auto& row = rows.emplace_back();
    for (size_t i = 0; i < csv.columns().size(); ++i) row.emplace_back(csv[i]);
  }
}

std::string ErrorOf(absl::string_view text, const CsvLimits& limits = {}) {
  const absl::StatusOr<Rows> rows = ReadAll(text, limits);
  if (rows.ok()) return "";
  EXPECT_EQ(GetErrorInfo(rows.status()).reason, "INVALID_CSV");
  return std::string(rows.status().message());
}

TEST(CsvTest, QuotesLineEndsAndTheByteOrderMark) {
  const auto rows =
      ReadAll("\xEF\xBB\xBFpath,label\r\n\r\n\"a, b.jpg\",\"say \"\"hi\"\"\"\r\nc.jpg,\n\"\",\"\"\"\"\n ä.jpg , 1 ");
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(*rows,
            (Rows{{"path", "label"}, {"a, b.jpg", "say \"hi\""}, {"c.jpg", ""}, {"", "\""}, {" ä.jpg ", " 1 "}}));
}

TEST(CsvTest, OneColumnAndNoRows) {
  EXPECT_EQ(ReadAll("path").value(), (Rows{{"path"}}));
  EXPECT_EQ(ReadAll("path\nx").value(), (Rows{{"path"}, {"x"}}));
  EXPECT_EQ(ReadAll(",path\n0,x\n").value(), (Rows{{"", "path"}, {"0", "x"}}));  // the index column of data frames
}

TEST(CsvTest, WhatAWriterQuotesComesBack) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  Rows rows = {{"a", "b", "c"}};
  std::string text = "a,b,c\n";
  for (int i = 0; i < 300; ++i) {
    std::vector<std::string> row(3);
    for (size_t f = 0; f < 3; ++f) {
      for (size_t n = random() % 6; n > 0; --n) row[f].push_back("\",xy \r"[random() % 6]);
      const bool plain = row[f].find_first_of("\",\r") == std::string::npos && random() % 2 == 0;
      absl::StrAppend(&text, f == 0 ? "" : ",",
                      plain ? row[f] : absl::StrCat("\"", absl::StrReplaceAll(row[f], {{"\"", "\"\""}}), "\""));
    }
    text += random() % 2 == 0 ? "\n" : "\r\n";
    rows.push_back(std::move(row));
  }
  EXPECT_EQ(ReadAll(text).value(), rows);
}

TEST(CsvTest, WhatIsWrongIsNamedWithItsLine) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("empty"));
  EXPECT_THAT(ErrorOf("\n\r\n"), HasSubstr("empty"));
  EXPECT_THAT(ErrorOf("a,b,a\n"), HasSubstr("line 1: two columns are called \"a\""));
  EXPECT_THAT(ErrorOf("a,b\n1,2\n\n1\n"), HasSubstr("table.csv, line 4: it has 1 fields; there are 2 columns"));
  EXPECT_THAT(ErrorOf("a,b\n1,2,3\n"), HasSubstr("it has 3 fields"));
  EXPECT_THAT(ErrorOf("a,b\n\"1,2\n3,4\n"), HasSubstr("line 2: a quote is not closed"));
  EXPECT_THAT(ErrorOf("a,b\n\"1\"x,2\n"), HasSubstr("text follows a closed quote"));
  EXPECT_THAT(ErrorOf("a,b\n1\"x\",2\n"), HasSubstr("holds a quote"));
  EXPECT_THAT(ErrorOf("a,b\r1,2\r"), HasSubstr("carriage return"));
  EXPECT_THAT(ErrorOf(absl::string_view("a,b\n1,\0\n", 8)), HasSubstr("NUL"));
}

TEST(CsvTest, LimitsHold) {
  const CsvLimits limits = {.max_line_bytes = 10, .max_columns = 3, .max_rows = 2};
  EXPECT_EQ(ErrorOf("a,b,c\n1234567,,\n\r\n1,2,3\r\n", limits), "");
  EXPECT_EQ(ErrorOf("a,b,c\n12345678,,\r\n", limits), "");
  EXPECT_THAT(ErrorOf("a,b,c\n123456789,,\n", limits), HasSubstr("longer than 10 bytes"));
  EXPECT_THAT(ErrorOf("a,b,c\n123456789,,", limits), HasSubstr("longer than 10 bytes"));
  EXPECT_THAT(ErrorOf("a,b,c,d\n", limits), HasSubstr("more than 3 fields"));
  EXPECT_THAT(ErrorOf("a\n1\n2\n3\n", limits), HasSubstr("line 4: there are more than 2 rows"));
  EXPECT_THAT(ErrorOf(std::string(10'000'000, ',')), HasSubstr("longer than 65536 bytes"));
  EXPECT_THAT(ErrorOf(std::string(60'000, ',')), HasSubstr("more than 256 fields"));
  EXPECT_THAT(ErrorOf("a\n\"" + std::string(10'000'000, 'x')), HasSubstr("line 2: it is longer"));
}

TEST(CsvTest, ColumnsAreFoundByName) {
  const auto csv = CsvReader::Open("table.csv", "path,label\n");
  ASSERT_TRUE(csv.ok());
  EXPECT_EQ(csv->Column("label").value(), 1u);
  EXPECT_EQ(csv->FindColumn("Label"), std::nullopt);
  EXPECT_THAT(csv->Column("split").status().message(), HasSubstr("table.csv has no column \"split\""));
}

TEST(CsvTest, TablesWithoutNames) {
  auto csv = CsvReader::OpenPlain("list", "x.jpg,3\n", {"path", "class"});
  ASSERT_TRUE(csv.ok());
  ASSERT_TRUE(csv->Next().value());
  EXPECT_EQ((*csv)[0], "x.jpg");
  EXPECT_EQ(csv->Int(1, 0, 10).value(), 3);
  EXPECT_FALSE(csv->Next().value());
  EXPECT_FALSE(csv->Next().value());
}

TEST(CsvTest, NumbersAreChecked) {
  auto csv = CsvReader::Open("t", "a,b,c,d,e,f\n1.5,nan,inf,1e400,-7,9223372036854775808\n");
  ASSERT_TRUE(csv->Next().value());
  EXPECT_EQ(csv->Number(0, 0, 2).value(), 1.5);
  EXPECT_EQ(csv->Int(4, -7, 0).value(), -7);
  for (const size_t bad : {1u, 2u, 3u}) EXPECT_FALSE(csv->Number(bad, -1e9, 1e9).ok()) << bad;
  for (const size_t bad : {0u, 1u, 5u}) EXPECT_FALSE(csv->Int(bad, INT64_MIN, INT64_MAX).ok()) << bad;
  EXPECT_EQ(csv->Number(0, 2, 3).status().message(),
            "t, line 2: a is \"1.5\"; it must be a number from 2 to 3. Correct it.");
}

TEST(CsvTest, PathsThatLeadOut) {
  for (const absl::string_view good : {"a.jpg", "a/b..c/d.jpg", "...", "./a", "a/"}) EXPECT_TRUE(LeadsInside(good));
  for (const absl::string_view bad : {"", "/etc/passwd", "../../etc/passwd", "a/../b", "a/.."}) {
    EXPECT_FALSE(LeadsInside(bad)) << bad;
  }
  EXPECT_FALSE(LeadsInside(absl::string_view("a\0b", 3)));
}

TEST(CsvTest, ForeignTextIsShownEscapedAndCut) {
  EXPECT_EQ(QuotedPiece("a\nb\"\x01"), "\"a\\nb\\\"\\x01\"");
  EXPECT_EQ(QuotedPiece(std::string(100, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

// Whatever the bytes, an answer: the sanitizers watch.
TEST(CsvTest, RandomDamageIsSurvived) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 2000; ++i) {
    std::string text = "path,label\n\"a, b\",\"1\"\r\nc,2\n";
    for (size_t n = 1 + random() % 4; n > 0; --n) {
      text[random() % text.size()] = random() % 2 == 0 ? "\",\n\r"[random() % 4] : static_cast<char>(random());
    }
    const auto rows = ReadAll(text.substr(0, random() % (text.size() + 1)));
    EXPECT_LE(rows.ok() ? rows->size() : 0, 7u);
  }
}

}  // namespace
}  // namespace sightline::base
