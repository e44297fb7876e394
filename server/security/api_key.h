// ApiKey: one entry of the keys file: who the caller is, what it may do, and how much of it.
//
// Threading: a value, constant once read. Failure: none.
#ifndef SIGHTLINE_SERVER_SECURITY_API_KEY_H_
#define SIGHTLINE_SERVER_SECURITY_API_KEY_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "server/call_info.h"

namespace sightline::server {

using KeyDigest = std::array<uint8_t, 32>;

struct KeyRate {
  double per_second = 0;
  double burst = 0;
};

struct ApiKey {
  std::string name;
  // Of the whole key as the caller sends it. Absent: only the certificate is accepted.
  std::optional<KeyDigest> sha256 = std::nullopt;
  std::string certificate = {};  // common name of the client certificate that stands for the key; empty: none
  Access scope = Access::kRead;
  std::vector<std::string> collections = {};  // exact names, or prefix*; empty: every collection
  std::optional<absl::Time> expires = std::nullopt;
  std::optional<KeyRate> rate = std::nullopt;
  std::optional<int> max_in_flight = std::nullopt;

  bool limited() const { return !collections.empty(); }

  bool Covers(absl::string_view collection) const {
    return !limited() || std::any_of(collections.begin(), collections.end(), [&](absl::string_view pattern) {
      return absl::ConsumeSuffix(&pattern, "*") ? absl::StartsWith(collection, pattern) : collection == pattern;
    });
  }
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_API_KEY_H_
