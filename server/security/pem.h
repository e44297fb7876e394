// PEM files as an operator gives them, checked before they are served: what TLS would only find out in a handshake.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT that names the file and says what is wrong with it; no text
// holds a key.
#ifndef SIGHTLINE_SERVER_SECURITY_PEM_H_
#define SIGHTLINE_SERVER_SECURITY_PEM_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sightline::server {

inline constexpr int64_t kMaxPemBytes = 1 << 20;

// A certificate, the chain above it and its private key.
struct Identity {
  std::string pem;  // all of them, one behind the other
  absl::Time not_before;
  absl::Time not_after;
};

// Reads both files and checks that they belong together and that this machine's OpenSSL would use them.
absl::StatusOr<Identity> ReadIdentity(const std::string& certificate_path, const std::string& key_path);

// Whether every user of the machine can read a file, which a private key is not for.
bool ReadableByAll(const std::string& path);

// The certificates of who signs clients' certificates.
absl::StatusOr<std::string> ReadAuthorities(const std::string& path);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_PEM_H_
