// Answers of helpers, which may be anything once somebody has taken a helper over.
#include "model/image/sandbox/wire.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/support/seed.h"

namespace sightline::image {
namespace {

std::string Encoded(const absl::Status& status) { return EncodeAnswer({7, status}); }

TEST(WireTest, AnswersComeBackAsTheyWereSent) {
  DecodeAnswer answer;
  ASSERT_TRUE(ParseAnswer(Encoded(absl::OkStatus()), &answer));
  EXPECT_EQ(answer.number, 7u);
  EXPECT_TRUE(answer.status.ok());
  const absl::Status sent =
      base::InvalidArgument("IMAGE_CORRUPT", "image is damaged. Send another.", {{"format", "PNG"}});
  ASSERT_TRUE(ParseAnswer(Encoded(sent), &answer));
  EXPECT_EQ(answer.status.code(), sent.code());
  EXPECT_EQ(answer.status.message(), sent.message());
  EXPECT_EQ(base::GetErrorInfo(answer.status).reason, "IMAGE_CORRUPT");
  EXPECT_EQ(base::GetErrorInfo(answer.status).facts, base::GetErrorInfo(sent).facts);
}

TEST(WireTest, OnlyWhatADecoderSaysIsAnAnswer) {
  DecodeAnswer answer;
  EXPECT_FALSE(ParseAnswer("", &answer));
  EXPECT_FALSE(ParseAnswer(Encoded(absl::OkStatus()) + "x", &answer)) << "more than an answer";
  // An answer to a caller that would send it somewhere else, or make it try again for ever.
  EXPECT_FALSE(ParseAnswer(Encoded(base::Error(absl::StatusCode::kUnauthenticated, "KEY_MISSING", "no")), &answer));
  EXPECT_FALSE(ParseAnswer(Encoded(base::InvalidArgument("not a reason", "no")), &answer));
  EXPECT_FALSE(ParseAnswer(Encoded(base::InvalidArgument("A\nB", "no")), &answer));
  // Lines that are none, and bytes that are no text.
  ASSERT_TRUE(ParseAnswer(Encoded(base::InvalidArgument("IMAGE_CORRUPT", "a\nb\xFF", {{"k\t", "v\r"}})), &answer));
  EXPECT_EQ(answer.status.message(), "a?b?");
  EXPECT_EQ(base::GetErrorInfo(answer.status).facts, base::ErrorFacts({{"k?", "v?"}}));
}

TEST(WireTest, DamageIsRefusedOrHarmless) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const std::string good = Encoded(base::InvalidArgument("IMAGE_CORRUPT", std::string(300, 'm'), {{"key", "value"}}));
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = good.substr(0, random() % (good.size() + 1));
    for (int change = 0; change < 4 && !bytes.empty(); ++change) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    DecodeAnswer answer;
    if (!ParseAnswer(bytes, &answer) || answer.status.ok()) continue;
    const absl::string_view message = answer.status.message();
    EXPECT_TRUE(std::all_of(message.begin(), message.end(), [](char c) { return c >= ' ' && c <= '~'; }));
  }
}

}  // namespace
}  // namespace sightline::image
