// How numpy keeps bytes in pickles of protocol 2: as a text of code points below 256, which `encode("latin1")` undoes.
//
// Threading: pure. Failure: nullopt for a text with a larger code point, or one that is no UTF-8.
#ifndef SIGHTLINE_BASE_PICKLE_LATIN1_H_
#define SIGHTLINE_BASE_PICKLE_LATIN1_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace sightline::base {

inline std::optional<std::string> Latin1Bytes(absl::string_view utf8) {
  std::string bytes;
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    if (lead < 0x80) {
      bytes.push_back(utf8[i]);
      continue;
    }
    const bool pair = (lead == 0xc2 || lead == 0xc3) && i + 1 < utf8.size() && (utf8[i + 1] & 0xc0) == 0x80;
    if (!pair) return std::nullopt;
    bytes.push_back(static_cast<char>((lead & 3) << 6 | (utf8[++i] & 0x3f)));
  }
  return bytes;
}

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_PICKLE_LATIN1_H_
