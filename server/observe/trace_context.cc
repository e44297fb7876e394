#include "server/observe/trace_context.h"

#include <algorithm>
#include <cstdint>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sightline::server {
namespace {

constexpr size_t kTraceDigits = 32;
constexpr size_t kSpanDigits = 16;
constexpr size_t kVersionZeroLength = 55;  // 2 + 1 + 32 + 1 + 16 + 1 + 2
constexpr size_t kMaxTraceState = 512;     // the least that the specification asks to be handed on
constexpr int kMaxTraceStateMembers = 32;
constexpr uint32_t kKnownFlags = 0x03;  // sampled, random; the others have to be sent as zero
constexpr size_t kMaxRequestId = 128;

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

bool IsZero(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

}  // namespace

std::optional<TraceParent> ParseTraceParent(absl::string_view text) {
  if (text.size() < kVersionZeroLength) return std::nullopt;
  const absl::string_view version = text.substr(0, 2);
  const absl::string_view trace = text.substr(3, kTraceDigits);
  const absl::string_view span = text.substr(36, kSpanDigits);
  const absl::string_view flags = text.substr(53, 2);
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  if (!IsLowerHex(version) || version == "ff") return std::nullopt;
  if (text.size() > kVersionZeroLength && (version == "00" || text[kVersionZeroLength] != '-')) return std::nullopt;
  if (!IsLowerHex(trace) || IsZero(trace) || !IsLowerHex(span) || IsZero(span) || !IsLowerHex(flags)) {
    return std::nullopt;
  }
  uint32_t bits = 0;
  if (!absl::SimpleHexAtoi(flags, &bits)) return std::nullopt;
  return TraceParent{std::string(trace), std::string(span),
                     absl::StrCat(absl::Hex(bits & kKnownFlags, absl::kZeroPad2))};
}

bool IsSaneTraceState(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxTraceState &&
         std::count(text.begin(), text.end(), ',') < kMaxTraceStateMembers &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string FormatTraceParent(const TraceParent& parent) {
  return absl::StrCat("00-", parent.trace_id, "-", parent.span, "-", parent.flags);
}

bool IsSaneRequestId(absl::string_view id) {
  constexpr absl::string_view kMarks = "._:/+=@-";
  return !id.empty() && id.size() <= kMaxRequestId && std::all_of(id.begin(), id.end(), [&](char c) {
    return absl::ascii_isalnum(c) || kMarks.find(c) != absl::string_view::npos;
  });
}

std::string MakeId(int digits) {
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  std::string id;
  while (static_cast<int>(id.size()) < digits) {
    uint64_t value = 0;
    while (value == 0) value = random();
    absl::StrAppend(&id, absl::Hex(value, absl::kZeroPad16));
  }
  return id;
}

}  // namespace sightline::server
