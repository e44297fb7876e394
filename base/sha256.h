// SHA-256, by OpenSSL.
//
// Threading: functions are pure; a Sha256 object belongs to one thread at a time. Failure: none.
#ifndef SIGHTLINE_BASE_SHA256_H_
#define SIGHTLINE_BASE_SHA256_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace sightline::base {

// The digest of `bytes`, 64 lower-case hex digits.
std::string Sha256Hex(absl::string_view bytes);

// A digest fed piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(absl::string_view bytes);
  void Update(const void* data, size_t size) { Update(absl::string_view(static_cast<const char*>(data), size)); }
  // 64 lower-case hex digits. The object must not be used afterwards.
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_SHA256_H_
