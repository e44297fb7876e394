// The parts of a request's address, decoded.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT for a '%' without two hexadecimal digits behind it, and for what
// is not UTF-8 or holds a NUL byte once it is decoded.
#ifndef SIGHTLINE_SERVER_HTTP_URI_H_
#define SIGHTLINE_SERVER_HTTP_URI_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::server {

// "a%2Fb" -> "a/b". A '+' stays one.
absl::StatusOr<std::string> DecodePercent(absl::string_view text);

// "a=1&b=x%20y" -> {{"a", "1"}, {"b", "x y"}}; a '+' is a blank, as forms write it.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseQuery(absl::string_view query);

bool IsUtf8(absl::string_view text);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_URI_H_
