#include "client/cli/json.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/status.h"
#include "sightline/v1/search_service.pb.h"
#include "sightline/v1/server_service.pb.h"

namespace sightline::cli {
namespace {

TEST(JsonTest, TextIsAlwaysValid) {
  EXPECT_EQ(JsonText("plain"), "\"plain\"");
  EXPECT_EQ(JsonText("a\"b\\c\n\x01\x7f"), "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\"");
  EXPECT_EQ(JsonText("h\xC3\xA9 \xF0\x9F\x91\x9F"), "\"h\xC3\xA9 \xF0\x9F\x91\x9F\"");
  EXPECT_EQ(JsonText("a\xFF"
                     "b\xE2\x82"),
            "\"a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(JsonTest, NumbersReadBackTheSame) {
  EXPECT_EQ(JsonNumber(0.1), "0.1");
  EXPECT_EQ(JsonNumber(0.1f), "0.1");
  EXPECT_EQ(JsonNumber(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(JsonNumber(std::numeric_limits<double>::infinity()), "null");
}

TEST(JsonTest, MessagesKeepEveryFieldWithItsApiName) {
  v1::SearchResult result;
  result.set_id("a");
  result.set_rank(1);
  result.set_score(0.25);
  (*result.mutable_attributes())["n"].set_int64_value(9'007'199'254'740'993);
  (*result.mutable_attributes())["b"].set_bool_value(false);
  result.set_preview("\x01\x02");
  // Unset optional fields and messages are left out; unset plain fields are not.
  EXPECT_EQ(JsonMessage(result),
            R"({"id":"a","rank":1,"score":0.25,"rank_before_rerank":0,"attributes":{"b":{"bool_value":false},)"
            R"("n":{"int64_value":9007199254740993}},"source_uri":"","preview":"AQI="})");
}

TEST(JsonTest, TimesAndEnumsAreReadable) {
  v1::GetServerInfoResponse info;
  info.mutable_start_time()->set_seconds(1'700'000'000);
  info.mutable_limits()->mutable_max_batch_delay()->set_nanos(2'000'000);
  info.add_models()->set_state(v1::Model::STATE_READY);
  const std::string json = JsonMessage(info);
  EXPECT_NE(json.find(R"("start_time":"2023-11-14T22:13:20Z")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("max_batch_delay":0.002)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("state":"STATE_READY")"), std::string::npos) << json;
}

TEST(JsonTest, ErrorsHaveReasonFactsAndDelay) {
  EXPECT_EQ(JsonError(base::RetryableError(absl::StatusCode::kResourceExhausted, "QUEUE_FULL", "full. Wait.",
                                           absl::Milliseconds(250), {{"limit", "8"}})),
            R"({"code":"RESOURCE_EXHAUSTED","reason":"QUEUE_FULL","message":"full. Wait.","facts":{"limit":"8"},)"
            R"("retry_after_ms":250})");
}

}  // namespace
}  // namespace sightline::cli
