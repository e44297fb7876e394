#include "client/cli/pairs_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/support/seed.h"

namespace sightline::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(PairsFileTest, PlainPairs) {
  const auto pairs = ParsePairs("p.csv", "first_id,second_id,same\na,b,true\r\nc d,e,0\n\nf,g,yes");
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  ASSERT_EQ(pairs->size(), 3u);
  EXPECT_EQ((*pairs)[0].first_id(), "a");
  EXPECT_EQ((*pairs)[0].second_id(), "b");
  EXPECT_TRUE((*pairs)[0].same());
  EXPECT_EQ((*pairs)[1].first_id(), "c d");
  EXPECT_FALSE((*pairs)[1].same());
  EXPECT_TRUE((*pairs)[2].same());
}

TEST(PairsFileTest, SpreadsheetsWriteABomAndQuotes) {
  const auto pairs =
      ParsePairs("p.csv", "\xEF\xBB\xBF\"first_id\",second_id,same\r\n\"a,1\",\"say \"\"b\"\"\",FALSE\r\n");
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  ASSERT_EQ(pairs->size(), 1u);
  EXPECT_EQ((*pairs)[0].first_id(), "a,1");
  EXPECT_EQ((*pairs)[0].second_id(), "say \"b\"");
}

TEST(PairsFileTest, AnyIdComesBackAsItWasQuoted) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const std::vector<std::string> alphabet = {"a", "\"", ",", " ", "é", "'", ";", "/"};
  std::string text = "first_id,second_id,same\n";
  std::vector<std::string> ids;
  for (int i = 0; i < 200; ++i) {
    std::string id;
    for (int n = 1 + static_cast<int>(random() % 8); n > 0; --n) id += alphabet[random() % alphabet.size()];
    ids.push_back(id);
    absl::StrAppend(&text, "\"", absl::StrReplaceAll(id, {{"\"", "\"\""}}), "\",x,1\n");
  }
  const auto pairs = ParsePairs("p.csv", text);
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  ASSERT_EQ(pairs->size(), ids.size());
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ((*pairs)[i].first_id(), ids[i]);
}

TEST(PairsFileTest, WrongLinesAreNamed) {
  const std::string header = "first_id,second_id,same\n";
  for (const auto& [text, line, problem] : std::vector<std::tuple<std::string, int, std::string>>{
           {"a,b,true\n", 1, "the header is \"a,b,true\". Write first_id,second_id,same."},
           {"\n" + header, 1, "the header is \"\""},
           {header + "a,b,true\na,b\n", 3, "it has 2 fields; a pair has 3."},
           {header + "a,b,c,true\n", 2, "it has 4 fields"},
           {header + "a,b,maybe\n", 2, "same is \"maybe\". Write true or false."},
           {header + "a,b,\n", 2, "same is \"\""},
           {header + ",b,true\n", 2, "an id is empty."},
           {header + "\n\"a,b,true\n", 3, "a quote is not closed"},
           {header + "\"a\"x,b,true\n", 2, "text follows a closed one"},
           {header + "\xFF,b,true\n", 2, "is not UTF-8."},
           {header + "a,b,\x1b[31mred\n", 2, "\\x1b"},
           {std::string(header) + std::string("a,b,tr\0ue\n", 10), 2, "\\x00"}}) {
    const auto pairs = ParsePairs("p.csv", text);
    ASSERT_FALSE(pairs.ok()) << text;
    EXPECT_THAT(std::string(pairs.status().message()),
                AllOf(StartsWith(absl::StrCat("p.csv, line ", line, ": ")), HasSubstr(problem)));
  }
  EXPECT_THAT(std::string(ParsePairs("p.csv", "").status().message()), HasSubstr("p.csv is empty. Write "));
  EXPECT_TRUE(ParsePairs("p.csv", header)->empty());
}

TEST(PairsFileTest, RandomBytesAreRefusedOrRead) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 500; ++round) {
    std::string text = "first_id,second_id,same\n";
    for (int n = static_cast<int>(random() % 60); n > 0; --n) {
      text += random() % 3 == 0 ? static_cast<char>(random()) : ",\"\n1"[random() % 4];
    }
    const auto pairs = ParsePairs("p.csv", text);
    if (pairs.ok()) continue;
    EXPECT_THAT(std::string(pairs.status().message()), StartsWith("p.csv, line "));
  }
}

}  // namespace
}  // namespace sightline::cli
