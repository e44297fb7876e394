#include "server/http/call_headers.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "server/rpc/gateway_metadata.h"

namespace sightline::server {
namespace {

constexpr std::array<const char*, 4> kPassedOn = {"authorization", "x-request-id", "traceparent", "tracestate"};
constexpr std::array<const char*, 2> kAnswered = {"x-request-id", "traceparent"};
constexpr size_t kMaxTimeoutDigits = 8;

absl::Status HeaderError(absl::string_view name, absl::string_view what) {
  return base::InvalidArgument("HEADER_INVALID", absl::StrCat("the header ", name, " ", what),
                               {{"field", std::string(name)}});
}

absl::StatusOr<absl::Duration> ParseTimeout(absl::string_view text) {
  int64_t number = 0;
  if (text.size() >= 2 && text.size() <= kMaxTimeoutDigits + 1 &&
      absl::SimpleAtoi(text.substr(0, text.size() - 1), &number) && number > 0) {
    switch (text.back()) {
      case 'H': return absl::Hours(number);
      case 'M': return absl::Minutes(number);
      case 'S': return absl::Seconds(number);
      case 'm': return absl::Milliseconds(number);
      case 'u': return absl::Microseconds(number);
      case 'n': return absl::Nanoseconds(number);
      default: break;
    }
  }
  return HeaderError("Grpc-Timeout",
                     "is no time. Write a number of at most 8 digits and a unit: H, M, S, m (milliseconds), u or n.");
}

}  // namespace

absl::StatusOr<CallHeaders> ReadCallHeaders(const HttpHead& head) {
  CallHeaders out;
  for (const char* name : kPassedOn) {
    const absl::string_view value = head.Header(name);
    if (value.empty()) continue;
    if (head.Count(name) > 1) return HeaderError(name, "is given twice. Send it once.");
    // gRPC ends a process that makes it carry anything else.
    if (!std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7E; })) {
      return HeaderError(name, "holds characters that are not printable ASCII. Correct it.");
    }
    out.metadata.emplace_back(name, value);
  }
  if (const absl::string_view timeout = head.Header("grpc-timeout"); !timeout.empty()) {
    SIGHTLINE_ASSIGN_OR_RETURN(out.timeout, ParseTimeout(timeout));
  }
  out.metadata.emplace_back(kGatewaySecret, GatewaySecret());
  out.metadata.emplace_back(kGatewayPeer, head.peer);
  if (!head.certificate.empty()) out.metadata.emplace_back(kGatewayCertificate, head.certificate);
  return out;
}

void SetUp(const CallHeaders& headers, grpc::ClientContext* context) {
  for (const auto& [name, value] : headers.metadata) context->AddMetadata(name, value);
  if (headers.timeout == absl::InfiniteDuration()) return;
  context->set_deadline(absl::ToChronoTime(absl::Now() + headers.timeout));
}

std::vector<std::pair<std::string, std::string>> AnsweredHeaders(const grpc::ClientContext& context) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto& metadata = context.GetServerInitialMetadata();
  for (const char* name : kAnswered) {
    const auto found = metadata.find(name);
    if (found != metadata.end()) out.emplace_back(name, std::string(found->second.data(), found->second.size()));
  }
  return out;
}

}  // namespace sightline::server
