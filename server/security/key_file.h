// The keys file: JSON, read strictly. A field that is unknown, missing, given twice or out of its range refuses the
// whole file, because a restriction that is silently not understood is one that does not hold.
//
//   {"keys": [{"name": "shop-web", "sha256": "<64 hex digits>", "scope": "read", "collections": ["shop", "shop-*"],
//              "expires": "2027-01-31T00:00:00Z", "rate": {"per_second": 50, "burst": 100}, "max_in_flight": 16},
//             {"name": "indexer", "certificate": "indexer.example.org", "scope": "write"}]}
//
// Why a plain SHA-256 is enough: keys are 256 random bits, not passwords. No dictionary holds them, so a slow or salted
// hash would only make every call slower.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT that names the entry and the field, never the digest.
#ifndef SIGHTLINE_SERVER_SECURITY_KEY_FILE_H_
#define SIGHTLINE_SERVER_SECURITY_KEY_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/security/api_key.h"

namespace sightline::server {

inline constexpr int64_t kMaxKeyFileBytes = 4 << 20;
// Each call is compared with every key: about 20 ns each.
inline constexpr size_t kMaxKeys = 1000;

// `origin` is the path, for the errors.
absl::StatusOr<std::vector<ApiKey>> ParseKeyFile(const std::string& origin, absl::string_view text);

// Reads and parses. A file that every user of the machine may write is refused.
absl::StatusOr<std::vector<ApiKey>> ReadKeyFile(const std::string& path);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_KEY_FILE_H_
