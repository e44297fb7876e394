#include "client/cli/explain_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/evidence_text.h"
#include "client/cli/html.h"
#include "client/cli/page_parts.h"
#include "tests/client/support/evidence.h"
#include "tests/support/seed.h"

namespace sightline::cli {
namespace {

using ::sightline::testing::TwoPairs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A page in which `text` stands wherever text from outside can.
ExplainPage PageOf(const std::string& text) {
  ExplainPage page{.query = {.name = text, .bytes = testing::kJpegBytes}};
  page.matches.push_back({.result = {.name = text, .missing = text}, .evidence = TwoPairs(), .rank = 1});
  page.matches.push_back({.result = {.name = text, .bytes = text}, .rank = 2, .rank_before = 5});
  page.model.set_model(text);
  page.model.set_numeric(text);
  page.model.set_embedding_space(text);
  page.warnings = {text};
  page.command = text;
  page.request = text;
  page.made = text;
  return page;
}

int64_t CountOf(const std::string& text, char c) { return std::count(text.begin(), text.end(), c); }

int64_t CountOf(const std::string& text, const std::string& part) {
  return static_cast<int64_t>(std::vector<std::string>(absl::StrSplit(text, part)).size()) - 1;
}

TEST(ExplainPageTest, NoTextFromOutsideBecomesMarkup) {
  // What marks up, quotes and separates is counted: it is the same whatever the text is.
  const std::string harmless = RenderExplainPage(PageOf("x"));
  const auto expect_alike = [&](const std::string& text) {
    const std::string page = RenderExplainPage(PageOf(text));
    for (const char c : {'<', '>', '"', '\'', '`', '\r', '\0', '\x1b'}) {
      EXPECT_EQ(CountOf(page, c), CountOf(harmless, c)) << "character " << static_cast<int>(c) << " of " << text;
    }
    for (const char* separator : {"\u2028", "\u2029"}) EXPECT_EQ(CountOf(page, separator), 0);
  };
  for (const std::string& text : std::vector<std::string>{
           "<script>alert(1)</script>", "</script><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>",
           "' onmouseover='alert(1)", "<!--", "]]>", "</title>", "</style>", "&lt;script&gt;", "\u2028alert(1)\u2029",
           std::string("\0\r\x1b[31m", 7), "\xFF\xFE<", "\xC0\xBCscript\xC0\xBE", "`${alert(1)}`",
           "javascript:alert(1)", "\u202Egpj.exe"}) {
    expect_alike(text);
  }
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (int n = static_cast<int>(random() % 40); n > 0; --n) {
      text += random() % 2 == 0 ? "<>\"'`&;/=\n"[random() % 9] : static_cast<char>(random());
    }
    // Bytes that begin like a picture would be shown as one.
    if (ImageMimeType(text).empty()) expect_alike("x" + text);
  }
}

TEST(ExplainPageTest, NothingIsFetchedAndOnlyItsOwnScriptRuns) {
  const std::string page = RenderExplainPage(PageOf("x"));
  EXPECT_EQ(CountOf(page, "src=\""), 1) << "the picture";
  EXPECT_THAT(page, AllOf(HasSubstr("src=\"data:image/jpeg;base64,/9j/4CBwaWN0dXJl\""), Not(HasSubstr("href")),
                          Not(HasSubstr("@import")), Not(HasSubstr("url("))));
  // The only address is the name of a namespace, in the script.
  EXPECT_EQ(CountOf(page, "http://www.w3.org/2000/svg"), 1);
  EXPECT_EQ(CountOf(page, "://"), 1);
  EXPECT_THAT(page, HasSubstr("content=\"default-src 'none'; img-src data:; style-src 'sha256-"));
  EXPECT_THAT(page, Not(HasSubstr("unsafe")));
  // The policy names what stands in the page.
  for (const auto& [tag, directive] : {std::pair("style", "style-src "), std::pair("script", "script-src ")}) {
    const size_t begin = page.rfind(absl::StrCat("<", tag, ">")) + std::string(tag).size() + 2;
    const std::string text = page.substr(begin, page.find(absl::StrCat("</", tag, ">"), begin) - begin);
    EXPECT_GT(text.size(), 1000u);
    EXPECT_THAT(page, HasSubstr(absl::StrCat(directive, CspHash(text))));
    // Style attributes would be refused by the policy.
    EXPECT_THAT(page.substr(0, page.find("<style>")), Not(HasSubstr(" style=")));
  }
}

TEST(ExplainPageTest, AKnownHash) {
  // From the CSP specification's way of writing: printf "alert('Hello, world.');" | openssl dgst -sha256 -binary |
  // base64.
  EXPECT_EQ(CspHash("alert('Hello, world.');"), "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='");
}

TEST(ExplainPageTest, ThePartsOfTheScoreAreThere) {
  ExplainPage page{.query = {.name = "photos/a.jpg"}};
  page.matches = {{.result = {.name = "photos/b.jpg"}, .evidence = TwoPairs()}};
  const std::string text = RenderExplainPage(page);
  EXPECT_THAT(text, AllOf(HasSubstr("<title>a.jpg and b.jpg</title>"), HasSubstr("very likely the same object: 0.97"),
                          HasSubstr("cosine <b>0.8000</b>"), HasSubstr("2 \u00d7 structural score 0.5000 = <b>1.0000"),
                          HasSubstr("sum <b>1.8000</b> of at most 3"), HasSubstr("mass transported <b>0.7500</b>")));
  // In a bar of 1,000 units: 0.8 / 3 and 1 / 3.
  EXPECT_THAT(text, HasSubstr("<rect class=\"cosine\" width=\"266.7\""));
  EXPECT_THAT(text, HasSubstr("<rect class=\"structural\" x=\"266.7\" width=\"333.3\""));
}

TEST(ExplainPageTest, WhatTheScriptReads) {
  EXPECT_EQ(PairNumbers(TwoPairs()),
            R"({"pairs":[{"row":0,"query":[0,0.5,0.5,1],"result":[0.5,0,1,0.5],"mass":0.5,"cosine":0.75},)"
            R"({"row":1,"query":[0,0.5,0.5,1],"result":[0.5,0,1,0.5],"mass":0.25,"cosine":0.625}],"mass":0.75,)"
            R"("query_heat":{"height":2,"width":2,"values":[0,0,0.75,0]},)"
            R"("result_heat":{"height":2,"width":2,"values":[0,0,0.75,0]}})");
}

TEST(ExplainPageTest, NumbersOfABrokenServerAreLeftOut) {
  for (const double broken : {kNan, kInfinity, -kInfinity}) {
    v1::Evidence evidence = TwoPairs();
    evidence.mutable_correspondences(0)->mutable_query_box()->set_x0(broken);
    evidence.mutable_correspondences(1)->set_mass(broken);
    evidence.mutable_query_heat_map()->set_values(0, static_cast<float>(broken));
    evidence.mutable_result_heat_map()->set_width(1 << 30);
    evidence.set_score(broken);
    evidence.set_weight(broken);
    EXPECT_EQ(
        PairNumbers(evidence),
        R"({"pairs":[],"mass":0.75,"query_heat":{"height":2,"width":2,"values":[0,0,0.75,0]},"result_heat":null})");
    ExplainPage page;
    page.matches = {{.evidence = evidence}};
    EXPECT_THAT(RenderExplainPage(page),
                AllOf(HasSubstr("cosine <b>not a number</b>"), Not(HasSubstr("nan\"")), Not(HasSubstr("inf\""))));
  }
  v1::Evidence evidence = TwoPairs();
  evidence.mutable_query_heat_map()->set_height(-2);
  evidence.mutable_query_heat_map()->set_width(-2);
  EXPECT_THAT(PairNumbers(evidence), HasSubstr(R"("query_heat":null)"));
}

TEST(ExplainPageTest, TheQueryStandsInThePageOnce) {
  ExplainPage page{.query = {.name = "q", .bytes = testing::kJpegBytes}};
  for (int i = 1; i <= 5; ++i) page.matches.push_back({.result = {.name = "r"}, .evidence = TwoPairs(), .rank = i});
  const std::string text = RenderExplainPage(page);
  EXPECT_EQ(CountOf(text, "data:image/jpeg"), 1);
  EXPECT_EQ(CountOf(text, "<img class=\"again\""), 4);
  EXPECT_EQ(CountOf(text, "class=\"controls\""), 1);
}

TEST(HtmlTest, PicturesAreToldByTheirBytes) {
  EXPECT_EQ(ImageMimeType(testing::kJpegBytes), "image/jpeg");
  EXPECT_EQ(ImageMimeType("\x89PNG\r\n\x1A\n..."), "image/png");
  EXPECT_EQ(ImageMimeType("RIFF\x01\x02\x03\x04WEBPVP8 "), "image/webp");
  for (const char* other : {"", "RIFF", "RIFF....AVI ", "GIF89a", "<svg onload=alert(1)>", "\xFF\xD8"}) {
    EXPECT_EQ(ImageMimeType(other), "") << other;
  }
}

TEST(HtmlTest, TheShellReadsTheCommandAsItWas) {
  EXPECT_EQ(ShellWords({"sightline", "explain", "a.jpg", "id:x/y"}), "sightline explain a.jpg id:x/y");
  EXPECT_EQ(ShellWords({"a b", "", "it's", "$(rm)", "--filter=a > 1"}), "'a b' '' 'it'\\''s' '$(rm)' '--filter=a > 1'");
}

TEST(EvidenceTextTest, ConfidenceInWords) {
  for (const auto& [confidence, words] :
       std::vector<std::pair<double, std::string>>{{1, "very likely the same object: 1.00"},
                                                   {0.9999, "very likely the same object: above 0.99"},
                                                   {0.95, "very likely the same object: 0.95"},
                                                   {0.9, "likely the same object: 0.90"},
                                                   {0.5, "perhaps the same object: 0.50"},
                                                   {0.3, "probably another object: 0.30"},
                                                   {0.0001, "very likely another object: below 0.01"},
                                                   {0, "very likely another object: 0.00"}}) {
    EXPECT_EQ(ConfidenceText(confidence), words);
  }
}

}  // namespace
}  // namespace sightline::cli
