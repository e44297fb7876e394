#include "index/filter/filter_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "index/validate.h"
#include "tests/index/filter/naive_filter.h"

namespace sightline::index {
namespace {

using ::testing::HasSubstr;

// The text in its one spelling, or the error.
std::string Canonical(absl::string_view text) {
  const auto filter = ParseFilter(text);
  return filter.ok() ? filter->ToString() : std::string(filter.status().message());
}

TEST(FilterParserTest, ReadsEverySpelling) {
  const struct {
    absl::string_view text;
    absl::string_view canonical;
  } kCases[] = {
      {"", ""},
      {" \t\r\n ", ""},
      {"a=1", "a = 1"},
      {"a == 1", "a = 1"},
      {"a<1 AND b<=2 AND c>3 AND d>=4 AND e!=5", "a < 1 AND b <= 2 AND c > 3 AND d >= 4 AND e != 5"},
      {"brand = 'acme'", "brand = \"acme\""},
      {"shop.brand-name_2 = \"acme\"", "shop.brand-name_2 = \"acme\""},
      {"a = 1 or b = 2 and not c = 3", "a = 1 OR b = 2 AND NOT c = 3"},
      {"(a = 1 or b = 2) and not (c = 3)", "(a = 1 OR b = 2) AND NOT c = 3"},
      {"NOT (a = 1 AND b = 2)", "NOT (a = 1 AND b = 2)"},
      {"NOT NOT a = 1", "NOT NOT a = 1"},
      {"NOT(a=1)AND(b=2)", "NOT a = 1 AND b = 2"},
      {"((((a = 1))))", "a = 1"},
      {"(a = 1 AND b = 2) AND (c = 3 AND d = 4)", "a = 1 AND b = 2 AND c = 3 AND d = 4"},
      {"a In (1,2 , 'x',TRUE)", "a IN (1, 2, \"x\", true)"},
      {"exists a", "EXISTS a"},
      {"EXISTS(a)", "EXISTS a"},
      {"a EXISTS", "EXISTS a"},
      {"NOT EXISTS a", "NOT EXISTS a"},
      {"a = True AND b = FALSE", "a = true AND b = false"},
      {"\"and\" = 1 OR 'Exists' = 2 OR EXISTS \"in\" OR 'plain' = 3",
       "\"and\" = 1 OR \"Exists\" = 2 OR EXISTS \"in\" OR plain = 3"},
      {"android = 1 AND inn = 2 AND nothing = 3 AND ORder = 4 AND truely = 5",
       "android = 1 AND inn = 2 AND nothing = 3 AND ORder = 4 AND truely = 5"},
      {"a = -5 AND b = 007 AND c = -0", "a = -5 AND b = 7 AND c = 0"},
      {"a = 9223372036854775807 OR a = -9223372036854775808", "a = 9223372036854775807 OR a = -9223372036854775808"},
      {"a = 1.0 OR a = 1e3 OR a = -2.5E-3 OR a = 1e+20", "a = 1.0 OR a = 1000.0 OR a = -0.0025 OR a = 1e+20"},
      {"a = 0.1 OR a = 5e-324 OR a = 1.7976931348623157e308", "a = 0.1 OR a = 5e-324 OR a = 1.7976931348623157e+308"},
      {R"(a = "say \"hi\"" OR a = 'it\'s' OR a = "it's")", R"(a = "say \"hi\"" OR a = "it's" OR a = "it's")"},
      {R"(a = "\\ \n \r \t \u0041 \u00e9 \u20AC")", "a = \"\\\\ \\n \\r \\t A \xC3\xA9 \xE2\x82\xAC\""},
      {R"(a = "\u0000\u001f\u007f")", R"(a = "\u0000\u001f\u007f")"},
      {"a = \"\xC3\xA9t\xC3\xA9 \xF0\x9F\x90\xB1\"", "a = \"\xC3\xA9t\xC3\xA9 \xF0\x9F\x90\xB1\""},
      {"a = ''", "a = \"\""},
      {"a\n=\t1\r\nAND b=2", "a = 1 AND b = 2"},
  };
  for (const auto& [text, canonical] : kCases) {
    EXPECT_EQ(Canonical(text), canonical) << text;
    EXPECT_EQ(Canonical(canonical), canonical);
  }
}

TEST(FilterParserTest, SaysWhatIsWrong) {
  constexpr absl::string_view kGrammar = "Write key = \"value\"; docs/filters.md has the grammar.";
  constexpr absl::string_view kQuotes = "Put a text in quotes: key = \"value\"; docs/filters.md has the grammar.";
  constexpr absl::string_view kNumber =
      "Write a number like -12 or 1.5e3, or put a text in quotes: key = \"value\"; docs/filters.md has the grammar.";
  constexpr absl::string_view kKeys = "Keys have 1 to 64 letters, digits, '_', '-' and '.', and start with a letter.";
  constexpr absl::string_view kEscapes =
      "The escapes are \\\" \\' \\\\ \\n \\r \\t and \\u with 4 hex digits that name a character.";
  const std::string long_key(65, 'k');
  const std::string shown_key = long_key.substr(0, 40);
  const struct {
    std::string text;
    std::string problem;
    absl::string_view advice;
    int position;
  } kCases[] = {
      {"brand = acme", "has \"acme\" at byte 8 where a value is expected", kQuotes, 8},
      {"a = 1 AND b = AND", "has \"AND\" at byte 14 where a value is expected", kGrammar, 14},
      {"a = 1 AND", "has nothing more at byte 9 where a condition is expected", kGrammar, 9},
      {"a", "has nothing more at byte 1 where an operator (=, !=, <, <=, >, >=, IN) is expected", kGrammar, 1},
      {"a =", "has nothing more at byte 3 where a value is expected", kGrammar, 3},
      {"= 1", "has \"=\" at byte 0 where a condition is expected", kGrammar, 0},
      {"AND", "has \"AND\" at byte 0 where a condition is expected", kGrammar, 0},
      {"NOT", "has nothing more at byte 3 where a condition is expected", kGrammar, 3},
      {"()", "has \")\" at byte 1 where a condition is expected", kGrammar, 1},
      {"(a = 1", "has nothing more at byte 6 where AND, OR or \")\" is expected", kGrammar, 6},
      {"a = 1)", "has \")\" at byte 5 where AND, OR or the end is expected", kGrammar, 5},
      {"a = 1 b = 2", "has \"b\" at byte 6 where AND, OR or the end is expected", kGrammar, 6},
      {"a = 1 && b = 2", "has \"&\" at byte 6 outside quotes",
       "Put texts in quotes: key = \"value\"; docs/filters.md has the grammar.", 6},
      {"a ! 1", "has \"!\" at byte 2 outside quotes",
       "Put texts in quotes: key = \"value\"; docs/filters.md has the grammar.", 2},
      {"a = \xC3\xA9", "has a character beyond ASCII at byte 4 outside quotes",
       "Put texts in quotes: key = \"value\"; docs/filters.md has the grammar.", 4},
      {"true = 1", "has \"true\" at byte 0 where a condition is expected", kGrammar, 0},
      {"5 = a", "has \"5\" at byte 0 where a condition is expected", kGrammar, 0},
      {"'a b' = 1", "has a key at byte 0 that no attribute can have", kKeys, 0},
      {"EXISTS ''", "has a key at byte 7 that no attribute can have", kKeys, 7},
      {absl::StrCat(long_key, " = 1"), "has a key at byte 0 that no attribute can have", kKeys, 0},
      {absl::StrCat("a = ", long_key), absl::StrCat("has \"", shown_key, "...\" at byte 4 where a value is expected"),
       kQuotes, 4},
      {"EXISTS 5", "has \"5\" at byte 7 where a key is expected", kGrammar, 7},
      {"EXISTS (a = 1)", "has \"=\" at byte 10 where \")\" is expected", kGrammar, 10},
      {"a IN 1", "has \"1\" at byte 5 where \"(\" is expected",
       "Write key IN (\"a\", \"b\"); docs/filters.md has the grammar.", 5},
      {"a IN ()", "has \")\" at byte 6 where a value is expected", kGrammar, 6},
      {"a IN (1 2)", "has \"2\" at byte 8 where \",\" or \")\" is expected", kGrammar, 8},
      {"a IN (1,)", "has \")\" at byte 8 where a value is expected", kGrammar, 8},
      {"a NOT IN (1)", "has \"NOT\" at byte 2 where an operator (=, !=, <, <=, >, >=, IN) is expected", kGrammar, 2},
      {"a < true", "has \"true\" at byte 4 where a text or a number is expected",
       "true and false are compared with = and != only.", 4},
      {"a = 2024-05-01", "has \"2024-05-01\" at byte 4, which is no number", kNumber, 4},
      {"a = 1.", "has \"1.\" at byte 4, which is no number", kNumber, 4},
      {"a = .5", "has \".5\" at byte 4, which is no number", kNumber, 4},
      {"a = +5", "has \"+5\" at byte 4, which is no number", kNumber, 4},
      {"a = -", "has \"-\" at byte 4, which is no number", kNumber, 4},
      {"a = -inf", "has \"-inf\" at byte 4, which is no number", kNumber, 4},
      {"a = 0x10", "has \"0x10\" at byte 4, which is no number", kNumber, 4},
      {"a = 1e", "has \"1e\" at byte 4, which is no number", kNumber, 4},
      {"a = 1AND", "has \"1AND\" at byte 4, which is no number", kNumber, 4},
      {"a = 9223372036854775808",
       "has the number \"9223372036854775808\" at byte 4, which does not fit a 64-bit integer",
       "Write it with a fraction, as in 1e19.", 4},
      {"a = 1e999", "has the number \"1e999\" at byte 4, which does not fit a double", "Write a smaller exponent.", 4},
      {"a = \"open", "has a text that begins at byte 4 and never ends", "Close it with \"; inside it write \\\".", 4},
      {"a = 'open\\'", "has a text that begins at byte 4 and never ends", "Close it with '; inside it write \\'.", 4},
      {R"(a = "\x")", "has an unknown escape at byte 5", kEscapes, 5},
      {R"(a = "\u12")", "has an unknown escape at byte 5", kEscapes, 5},
      {R"(a = "\ud83d\ude00")", "has an unknown escape at byte 5", kEscapes, 5},
      {R"(a = "\u-123")", "has an unknown escape at byte 5", kEscapes, 5},
      {"a = \"\\", "has an unknown escape at byte 5", kEscapes, 5},
      {"a = \"x\ny\"", "has a line break or a tab at byte 6 inside quotes", "Write \\n, \\r or \\t.", 6},
      {"a = \"\xFF\"", "is not valid UTF-8 at byte 5", "Encode it as UTF-8.", 5},
      {"a = \"\xC3\xA9\xE2\x82", "is not valid UTF-8 at byte 7", "Encode it as UTF-8.", 7},
      {std::string("a = \"\0\"", 7), "has a control character at byte 5",
       "Remove it, or write \\u and 4 hex digits inside quotes.", 5},
      {"a\x7F", "has a control character at byte 1", "Remove it, or write \\u and 4 hex digits inside quotes.", 1},
  };
  for (const auto& [text, problem, advice, position] : kCases) {
    const auto filter = ParseFilter(text);
    ASSERT_FALSE(filter.ok()) << text;
    EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(filter.status().message(), absl::StrCat("filter ", problem, ". ", advice)) << text;
    const base::ErrorInfo info = base::GetErrorInfo(filter.status());
    EXPECT_EQ(info.reason, "FILTER_INVALID");
    ASSERT_FALSE(info.facts.empty());
    EXPECT_EQ(info.facts[0], std::pair(std::string("position"), absl::StrCat(position)));
  }
}

std::string Repeat(absl::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) absl::StrAppend(&out, text);
  return out;
}

// `separator` between `count` times `item`.
std::string Chain(absl::string_view item, absl::string_view separator, int count) {
  return absl::StrJoin(std::vector<absl::string_view>(static_cast<size_t>(count), item), separator);
}

TEST(FilterParserTest, HoldsItsLimits) {
  EXPECT_TRUE(ParseFilter(absl::StrCat(Repeat("(", 64), "a=1", Repeat(")", 64))).ok());
  EXPECT_THAT(Canonical(absl::StrCat(Repeat("(", 65), "a=1", Repeat(")", 65))),
              HasSubstr("nests deeper than 64 levels at byte 64"));
  EXPECT_TRUE(ParseFilter(absl::StrCat(Repeat("NOT ", 64), "a=1")).ok());
  EXPECT_THAT(Canonical(absl::StrCat(Repeat("NOT ", 65), "a=1")), HasSubstr("nests deeper than 64 levels"));
  EXPECT_THAT(Canonical(Repeat("(", 8000)), HasSubstr("nests deeper than 64 levels"));
  EXPECT_THAT(Canonical(Repeat("NOT(", 2000)), HasSubstr("nests deeper than 64 levels"));

  EXPECT_TRUE(ParseFilter(Chain("a=1", " OR ", 1000)).ok());
  EXPECT_THAT(Canonical(Chain("a=1", " OR ", 1001)), HasSubstr("has more than 1000 comparisons"));
  EXPECT_TRUE(ParseFilter(absl::StrCat("a IN (", Chain("1", ",", 1000), ")")).ok());
  EXPECT_THAT(Canonical(absl::StrCat("a IN (", Chain("1", ",", 1001), ")")),
              HasSubstr("has an IN with more than 1000 values"));

  EXPECT_TRUE(ParseFilter(absl::StrCat("a=1", std::string(8192 - 3, ' '))).ok());
  const auto filter = ParseFilter(absl::StrCat("a=1", std::string(8193 - 3, ' ')));
  EXPECT_EQ(filter.status().message(), "filter has 8193 bytes; the limit is 8192. Shorten it.");
  const auto facts = base::GetErrorInfo(filter.status()).facts;
  EXPECT_THAT(facts, ::testing::Contains(std::pair(std::string("limit"), std::string("8192"))));
  EXPECT_THAT(facts, ::testing::Contains(std::pair(std::string("actual"), std::string("8193"))));
}

TEST(FilterParserTest, WritesWhatItReads) {
  RandomFilters random(7);
  for (int i = 0; i < 20'000; ++i) {
    const Filter filter(random.Node(5));
    const std::string text = filter.ToString();
    const auto again = ParseFilter(text);
    ASSERT_TRUE(again.ok()) << text << "\n" << again.status();
    ASSERT_EQ(*again, filter) << text << "\n" << again->ToString();
  }
}

// Whatever comes in, an answer goes out: a filter that can be written and read again, or an error that is itself fit to
// be shown.
void ExpectAnswer(absl::string_view text) {
  const auto filter = ParseFilter(text);
  if (filter.ok()) {
    const std::string canonical = filter->ToString();
    // Escapes may make it longer than filters can be.
    if (canonical.size() > kMaxFilterBytes) return;
    const auto again = ParseFilter(canonical);
    ASSERT_TRUE(again.ok()) << canonical;
    ASSERT_EQ(*again, *filter);
    return;
  }
  const absl::string_view message = filter.status().message();
  ASSERT_EQ(base::GetErrorInfo(filter.status()).reason, "FILTER_INVALID");
  ASSERT_LT(message.size(), 400u);
  ASSERT_TRUE(std::all_of(message.begin(), message.end(), [](char c) { return absl::ascii_isprint(c); })) << message;
}

TEST(FilterParserTest, AnswersGarbage) {
  std::mt19937 random(99);
  const auto below = [&random](size_t bound) { return static_cast<size_t>(random() % bound); };
  const std::vector<std::string> words = {
      "a", "b.c", "and", "OR",   "not",  "IN",     "EXISTS",   "true",       "False", "(",   ")",
      ",", "=",   "!=",  "<",    "<=",   ">",      ">=",       "!",          "==",    "'x'", "\"y\"",
      "'", "\"",  "\\",  "\\u0", "1",    "-2.5e3", "1e9",      "9999999999", " ",     "\n",  "\t",
      "-", ".",   "+",   "e",    "\xC3", "\xA9",   "\xC3\xA9", "\x01",       "\x7F"};
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    for (size_t left = below(20); left > 0; --left) {
      absl::StrAppend(&text, words[below(words.size())], below(3) == 0 ? "" : " ");
    }
    ExpectAnswer(text);
    if (HasFatalFailure()) return;
  }
  for (int i = 0; i < 20'000; ++i) {
    std::string text(below(60), '\0');
    for (char& c : text) c = static_cast<char>(below(256));
    ExpectAnswer(text);
    if (HasFatalFailure()) return;
  }
  RandomFilters filters(8);
  for (int i = 0; i < 30'000; ++i) {
    std::string text = Filter(filters.Node(4)).ToString();
    for (size_t left = 1 + below(3); left > 0 && !text.empty(); --left) {
      const size_t at = below(text.size());
      switch (below(4)) {
        case 0: text[at] = static_cast<char>(below(256)); break;
        case 1: text.erase(at, 1 + below(5)); break;
        case 2: text.insert(at, words[below(words.size())]); break;
        default: text.insert(at, text.substr(below(text.size()), below(20))); break;
      }
    }
    ExpectAnswer(text);
    if (HasFatalFailure()) return;
  }
}

TEST(FilterParserTest, KnowsAttributeKeys) {
  for (const absl::string_view key : {"a", "A", "a1", "a_b-c.d", "and"}) EXPECT_TRUE(IsAttributeKey(key)) << key;
  EXPECT_TRUE(IsAttributeKey(std::string(64, 'k')));
  for (const absl::string_view key : {"", "1", "_a", "a b", "a\"", "\xC3\xA9"})
    EXPECT_FALSE(IsAttributeKey(key)) << key;
  EXPECT_FALSE(IsAttributeKey(std::string(65, 'k')));
}

}  // namespace
}  // namespace sightline::index
