// What every fuzz target expects of what it tries: an answer, or an error of this project's kind.
#ifndef SIGHTLINE_TESTS_FUZZ_FUZZ_CHECK_H_
#define SIGHTLINE_TESTS_FUZZ_FUZZ_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>

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

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_FUZZ_FUZZ_CHECK_H_
