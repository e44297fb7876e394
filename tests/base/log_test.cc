#include "base/log.h"

#include <gtest/gtest.h>

namespace sightline::base {
namespace {

TEST(JsonQuoteTest, EscapesWhatJsonForbids) {
  EXPECT_EQ(JsonQuote("a\"b\\c\n\x01"), R"("a\"b\\c\n\u0001")");
  EXPECT_EQ(JsonQuote("caf\xC3\xA9 \xF0\x9F\x98\x80"), "\"caf\xC3\xA9 \xF0\x9F\x98\x80\"");
}

TEST(JsonQuoteTest, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(JsonQuote("\xFF"), R"("\ufffd")");
  EXPECT_EQ(JsonQuote("\xC0\x80"), R"("\ufffd\ufffd")");            // overlong
  EXPECT_EQ(JsonQuote("\xED\xA0\x80"), R"("\ufffd\ufffd\ufffd")");  // surrogate
  EXPECT_EQ(JsonQuote("\xE2\x82"), R"("\ufffd\ufffd")");            // cut short
}

TEST(LogLevelTest, NamesAreParsedAndOthersRefused) {
  EXPECT_EQ(*ParseSeverity("warning"), Severity::kWarning);
  EXPECT_FALSE(ParseSeverity("loud").ok());
}

TEST(LogTest, WritesOneJsonLineOnStandardError) {
  ::testing::internal::CaptureStderr();
  Log(Severity::kWarning, "low \"disk\"", {{"path", "/data"}});
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find(R"("level":"warning","message":"low \"disk\"","path":"/data"})"), std::string::npos) << line;
  EXPECT_EQ(line.back(), '\n');
}

}  // namespace
}  // namespace sightline::base
