#include "server/observe/call_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "server/code_names.h"
#include "server/observe/trace_context.h"
#include "tests/support/fake_clock.h"

namespace sightline::server {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class Headers final : public CallMetadata {
 public:
  Headers() = default;
  Headers(const std::string& name, const std::string& value) : headers_{{name, value}} {}
  explicit Headers(std::map<std::string, std::string> headers) : headers_(std::move(headers)) {}
  absl::string_view Header(absl::string_view name) const override {
    const auto found = headers_.find(std::string(name));
    return found == headers_.end() ? "" : absl::string_view(found->second);
  }
  std::string Peer() const override { return "ipv4:127.0.0.1:1"; }
  std::string CertificateName() const override { return ""; }
  void Answer(absl::string_view name, absl::string_view value) const override {
    answered_[std::string(name)] = std::string(value);
  }
  const std::map<std::string, std::string>& answered() const { return answered_; }

 private:
  const std::map<std::string, std::string> headers_;
  mutable std::map<std::string, std::string> answered_;
};

struct Line {
  base::Severity severity;
  std::string message;
  std::map<std::string, std::string> fields;
};

class CallLogTest : public ::testing::Test {
 protected:
  CallLog MakeLog(CallLog::Options options = {}) {
    return CallLog(options, clock_, metrics_,
                   [this](base::Severity severity, absl::string_view message, const base::LogFields& fields) {
                     lines_.push_back({severity, std::string(message), {fields.begin(), fields.end()}});
                   });
  }

  // A call that takes so long and ends so.
  void Call(CallLog& log, absl::Duration time, const absl::Status& status, const std::string& collection = "shop",
            const std::string& method = "SearchService/Search") {
    Request request(clock_, clock_.Steady() + std::chrono::hours(1));
    request.mutable_call()->method = method;
    request.mutable_call()->collection = collection;
    ASSERT_TRUE(log.Arrived(Headers(), request.mutable_call()).ok());
    clock_.Advance(time);
    request.AddStage("queue", 300);
    request.AddStage("embed", 500, 4);
    request.AddStage("embed", 200, 2);
    log.Ended(request, status);
  }

  testing::FakeClock clock_;
  Metrics metrics_;
  std::vector<Line> lines_;
};

TEST_F(CallLogTest, KeepsASaneIdAndMakesOneOtherwise) {
  CallLog log = MakeLog();
  CallInfo call;
  const Headers own("x-request-id", "job-7");
  EXPECT_TRUE(log.Arrived(own, &call).ok());
  EXPECT_EQ(call.request_id, "job-7");
  EXPECT_EQ(call.peer, "ipv4:127.0.0.1:1");
  EXPECT_THAT(own.answered(), Contains(Pair("x-request-id", "job-7")));
  EXPECT_THAT(own.answered(), Not(Contains(Key("traceparent"))));

  for (const char* bad : {"two words", "line\nend", "\"quoted\""}) {
    CallInfo other;
    const Headers metadata("x-request-id", bad);
    EXPECT_TRUE(log.Arrived(metadata, &other).ok());
    EXPECT_THAT(other.request_id, SizeIs(16));
    EXPECT_THAT(metadata.answered(), Contains(Pair("x-request-id", other.request_id)));
  }
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_ignored_headers_total{header="x-request-id"} 3)"));
}

TEST_F(CallLogTest, JoinsTheCallersTraceWithASpanOfItsOwn) {
  CallLog log = MakeLog();
  CallInfo call;
  const Headers metadata("traceparent", kParent);
  EXPECT_TRUE(log.Arrived(metadata, &call).ok());
  EXPECT_EQ(call.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(call.parent_span, "00f067aa0ba902b7");
  EXPECT_NE(call.span, call.parent_span);
  const auto answer = ParseTraceParent(metadata.answered().at("traceparent"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->trace_id, call.trace_id);
  EXPECT_EQ(answer->span, call.span);
  EXPECT_EQ(answer->flags, "01");

  CallInfo other;
  const Headers bad("traceparent", "00-1-2-3");
  EXPECT_TRUE(log.Arrived(bad, &other).ok());
  EXPECT_EQ(other.trace_id + other.span, "");
  EXPECT_THAT(bad.answered(), Not(Contains(Key("traceparent"))));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_ignored_headers_total{header="traceparent"} 1)"));
}

TEST_F(CallLogTest, TheTraceStateGoesOnUnchangedWithTheTraceAndNotWithoutIt) {
  CallLog log = MakeLog();
  const auto answered = [&](const std::string& parent, const std::string& state) {
    CallInfo call;
    const Headers metadata({{"traceparent", parent}, {"tracestate", state}});
    EXPECT_TRUE(log.Arrived(metadata, &call).ok());
    return metadata.answered();
  };
  EXPECT_THAT(answered(kParent, "rojo=00f067, congo=t61"), Contains(Pair("tracestate", "rojo=00f067, congo=t61")));
  EXPECT_THAT(answered(kParent, ""), Not(Contains(Key("tracestate"))));
  EXPECT_THAT(answered("", "rojo=1"), Not(Contains(Key("tracestate"))));
  EXPECT_THAT(answered("00-1-2-3", "rojo=1"), Not(Contains(Key("tracestate"))));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_ignored_headers_total{header="tracestate"} 0)"));
  // Too long: the trace goes on without it.
  const auto cut = answered(kParent, std::string(513, 'x'));
  EXPECT_THAT(cut, Contains(Key("traceparent")));
  EXPECT_THAT(cut, Not(Contains(Key("tracestate"))));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_ignored_headers_total{header="tracestate"} 1)"));
}

TEST_F(CallLogTest, ImagesThatBreakTheirDecoderAreWarningsThatSayWhose) {
  CallLog log = MakeLog();
  for (const char* reason : {"IMAGE_CRASHED_DECODER", "IMAGE_TOOK_TOO_LONG"}) {
    Call(log, absl::ZeroDuration(), base::InvalidArgument(reason, "what. do."));
    ASSERT_THAT(lines_, SizeIs(1));
    EXPECT_EQ(lines_[0].severity, base::Severity::kWarning);
    EXPECT_EQ(lines_[0].fields.at("reason"), reason);
    EXPECT_THAT(lines_[0].fields.at("request_id"), SizeIs(16));
    EXPECT_EQ(lines_[0].fields.at("peer"), "ipv4:127.0.0.1:1");
    lines_.clear();
  }
  EXPECT_THAT(log.last_failures(), SizeIs(0));  // not the server's
}

TEST_F(CallLogTest, SlowCallsAreLoggedWithEveryStage) {
  CallLog log = MakeLog({.slow_request = absl::Seconds(1)});
  Call(log, absl::Milliseconds(999), absl::OkStatus());
  EXPECT_THAT(lines_, SizeIs(0));
  Call(log, absl::Milliseconds(1250), absl::OkStatus());
  ASSERT_THAT(lines_, SizeIs(1));
  EXPECT_EQ(lines_[0].severity, base::Severity::kWarning);
  const std::map<std::string, std::string>& fields = lines_[0].fields;
  EXPECT_EQ(fields.at("method"), "SearchService/Search");
  EXPECT_EQ(fields.at("collection"), "shop");
  EXPECT_EQ(fields.at("code"), "OK");
  EXPECT_EQ(fields.at("ms"), "1250.0");
  EXPECT_EQ(fields.at("queue_ms"), "300.0");
  EXPECT_EQ(fields.at("embed_ms"), "700.0");
  EXPECT_EQ(fields.at("embed_batch"), "4");
  EXPECT_THAT(fields.at("request_id"), SizeIs(16));
  ASSERT_THAT(log.last_slow(), SizeIs(1));
  EXPECT_EQ(log.last_slow()[0].stages[1].milliseconds, 700);
  EXPECT_THAT(metrics_.Text(), HasSubstr("sightline_slow_requests_total 1"));
}

// 300 ms of each call are spent in a queue.
TEST_F(CallLogTest, BulkWorkIsSlowByItsWorkAlone) {
  CallLog log = MakeLog({.slow_request = absl::Seconds(1)});
  Call(log, absl::Milliseconds(1299), absl::OkStatus(), "shop", "IndexService/IndexStream");
  EXPECT_THAT(lines_, SizeIs(0));
  EXPECT_THAT(log.last_slow(), SizeIs(0));
  Call(log, absl::Milliseconds(1300), absl::OkStatus(), "shop", "IndexService/IndexStream");
  ASSERT_THAT(lines_, SizeIs(1));
  EXPECT_EQ(lines_[0].fields.at("ms"), "1300.0");
}

TEST_F(CallLogTest, ZeroMeansThatNothingIsSlow) {
  CallLog log = MakeLog({.slow_request = absl::ZeroDuration()});
  Call(log, absl::Hours(1), absl::OkStatus());
  EXPECT_THAT(lines_, SizeIs(0));
}

TEST_F(CallLogTest, FailuresOfOurMakingAreErrorsAndCallersFaultsAreNot) {
  CallLog log = MakeLog();
  for (int code = 1; code < kCodeCount; ++code) {
    Call(log, absl::ZeroDuration(), base::Error(static_cast<absl::StatusCode>(code), "WHY", "what. do."));
  }
  ASSERT_THAT(lines_, SizeIs(3));  // INTERNAL, UNKNOWN and DATA_LOSS
  for (const Line& line : lines_) {
    EXPECT_EQ(line.severity, base::Severity::kError);
    EXPECT_EQ(line.fields.at("reason"), "WHY");
    EXPECT_EQ(line.fields.at("error"), "what. do.");
  }
  EXPECT_THAT(log.last_failures(), SizeIs(3));
}

TEST_F(CallLogTest, AStormIsCountedAndNotWritten) {
  CallLog log = MakeLog({.slow_request = absl::Milliseconds(1), .lines_per_second = 5, .kept = 4});
  const absl::Status failure = base::Error(absl::StatusCode::kInternal, "WHY", "what. do.");
  for (int i = 0; i < 100; ++i) Call(log, absl::Milliseconds(1), failure, "c" + std::to_string(i));
  EXPECT_THAT(lines_, SizeIs(10));  // five of each kind
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_dropped_log_lines_total{line="failure"} 95)"));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_dropped_log_lines_total{line="slow"} 95)"));
  // A second later there is room again.
  clock_.Advance(absl::Seconds(1));
  Call(log, absl::Milliseconds(1), failure);
  EXPECT_THAT(lines_, SizeIs(12));
  ASSERT_THAT(log.last_failures(), SizeIs(4));
  EXPECT_EQ(log.last_failures()[0].call.collection, "shop");
  EXPECT_EQ(log.last_failures()[3].call.collection, "c97");
}

TEST_F(CallLogTest, WhatCallersWroteIsCutShort) {
  CallLog log = MakeLog();
  Call(log, absl::ZeroDuration(), base::Error(absl::StatusCode::kInternal, "WHY", std::string(1 << 20, 'm')),
       std::string(1 << 20, 'c'));
  ASSERT_THAT(lines_, SizeIs(1));
  EXPECT_LT(lines_[0].fields.at("collection").size(), 200u);
  EXPECT_LT(lines_[0].fields.at("error").size(), 1100u);
  EXPECT_LT(log.last_failures()[0].call.collection.size(), 200u);
}

}  // namespace
}  // namespace sightline::server
