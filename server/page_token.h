// Page tokens of lists that the server itself orders: a side and the last key of the page before, so that a token stays
// right while entries come and go.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with reason PAGE_TOKEN_INVALID.
//
//   reply->set_next_page_token(TokenBefore(17));                                // newest first: "before:17"
//   SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t before, ReadTokenBefore(token));  // no token: after every number
#ifndef SIGHTLINE_SERVER_PAGE_TOKEN_H_
#define SIGHTLINE_SERVER_PAGE_TOKEN_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::server {

std::string TokenBefore(uint64_t number);
absl::StatusOr<uint64_t> ReadTokenBefore(absl::string_view token);

// The key, which the caller checks; empty without a token.
std::string TokenAfter(absl::string_view key);
absl::StatusOr<std::string> ReadTokenAfter(absl::string_view token);

absl::Status InvalidPageToken();

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_PAGE_TOKEN_H_
