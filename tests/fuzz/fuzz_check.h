// What every fuzz target expects of what it tries: an answer, or an error of this project's kind.
#ifndef SIGHTLINE_TESTS_FUZZ_FUZZ_CHECK_H_
#define SIGHTLINE_TESTS_FUZZ_FUZZ_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/status.h"

namespace sightline::testing {

// An error has a reason and a sentence, and is neither INTERNAL nor UNKNOWN.
inline void CheckAnswer(const absl::Status& status) {
  if (status.ok()) return;
  const bool named = !base::GetErrorInfo(status).reason.empty() && base::GetErrorInfo(status).reason != "UNKNOWN";
  if (!named || status.message().empty() || absl::IsInternal(status) || absl::IsUnknown(status)) std::abort();
}

inline void Expect(bool truth) {
  if (!truth) std::abort();
}

inline absl::string_view View(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// `head` and the numbers behind it in 4 bytes each, little-endian: the header of a file.
inline std::string Little(absl::string_view head, std::initializer_list<uint32_t> numbers) {
  std::string bytes(head);
  for (const uint32_t number : numbers) {
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(number >> shift));
  }
  return bytes;
}

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_FUZZ_FUZZ_CHECK_H_
