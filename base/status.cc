#include "base/status.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sightline::base {
namespace {

// Payload: records separated by '\x1e', key and value by '\x1f'; neither occurs in reasons or in facts (replaced
// there).
constexpr absl::string_view kPayloadUrl = "sightline.dev/error_info";
constexpr char kRecord = '\x1e';
constexpr char kUnit = '\x1f';
constexpr absl::string_view kReasonKey = "\x01reason";
constexpr absl::string_view kRetryKey = "\x01retry_ms";

void Append(std::string* out, absl::string_view key, absl::string_view value) {
  for (absl::string_view part : {key, value}) {
    for (char c : part) out->push_back(c == kRecord || c == kUnit ? ' ' : c);
    out->push_back(part.data() == key.data() ? kUnit : kRecord);
  }
}

std::string Encode(const ErrorInfo& info) {
  std::string out;
  Append(&out, kReasonKey, info.reason);
  if (info.retry_after) {
    Append(&out, kRetryKey, absl::StrCat(absl::ToInt64Milliseconds(*info.retry_after)));
  }
  for (const auto& [key, value] : info.facts) Append(&out, key, value);
  return out;
}

absl::Status Make(absl::StatusCode code, absl::string_view message, ErrorInfo info) {
  absl::Status status(code, message);
  if (!status.ok()) status.SetPayload(kPayloadUrl, absl::Cord(Encode(info)));
  return status;
}

}  // namespace

absl::Status Error(absl::StatusCode code, absl::string_view reason, absl::string_view message, ErrorFacts facts) {
  return Make(code, message, {std::string(reason), std::move(facts), std::nullopt});
}

absl::Status RetryableError(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                            absl::Duration retry_after, ErrorFacts facts) {
  return Make(code, message, {std::string(reason), std::move(facts), retry_after});
}

absl::Status InvalidArgument(absl::string_view reason, absl::string_view message, ErrorFacts facts) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message, std::move(facts));
}

absl::Status NotFound(absl::string_view reason, absl::string_view message, ErrorFacts facts) {
  return Error(absl::StatusCode::kNotFound, reason, message, std::move(facts));
}

absl::Status FailedPrecondition(absl::string_view reason, absl::string_view message, ErrorFacts facts) {
  return Error(absl::StatusCode::kFailedPrecondition, reason, message, std::move(facts));
}

ErrorInfo GetErrorInfo(const absl::Status& status) {
  ErrorInfo info{"UNKNOWN", {}, std::nullopt};
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload) return info;
  const std::string bytes(*payload);
  for (absl::string_view record : absl::StrSplit(bytes, kRecord, absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(record, absl::MaxSplits(kUnit, 1));
    int64_t milliseconds = 0;
    if (pair.first == kReasonKey) {
      info.reason = std::string(pair.second);
    } else if (pair.first == kRetryKey && absl::SimpleAtoi(pair.second, &milliseconds)) {
      info.retry_after = absl::Milliseconds(milliseconds);
    } else {
      info.facts.emplace_back(pair.first, pair.second);
    }
  }
  return info;
}

}  // namespace sightline::base
