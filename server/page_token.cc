#include "server/page_token.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace sightline::server {
namespace {

constexpr absl::string_view kBefore = "before:";
constexpr absl::string_view kAfter = "after:";

}  // namespace

std::string TokenBefore(uint64_t number) { return absl::StrCat(kBefore, number); }

absl::StatusOr<uint64_t> ReadTokenBefore(absl::string_view token) {
  if (token.empty()) return UINT64_MAX;
  uint64_t before = 0;
  if (absl::ConsumePrefix(&token, kBefore) && absl::SimpleAtoi(token, &before)) return before;
  return InvalidPageToken();
}

std::string TokenAfter(absl::string_view key) { return absl::StrCat(kAfter, key); }

absl::StatusOr<std::string> ReadTokenAfter(absl::string_view token) {
  if (token.empty()) return "";
  if (absl::ConsumePrefix(&token, kAfter)) return std::string(token);
  return InvalidPageToken();
}

absl::Status InvalidPageToken() {
  return base::InvalidArgument("PAGE_TOKEN_INVALID",
                               "the page token is not one this server gave. Start again without a token.",
                               {{"field", "page_token"}});
}

}  // namespace sightline::server
