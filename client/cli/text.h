// Text: small helpers for what people type and read.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_TEXT_H_
#define SIGHTLINE_CLIENT_CLI_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sightline::cli {

// True for well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(absl::string_view text);

// `text` with control characters and broken UTF-8 written as \xNN, so that no name can steer a terminal.
std::string Printable(absl::string_view text);

// Characters of a valid UTF-8 text; wide and combining characters count as one.
size_t CharacterCount(absl::string_view text);

// Single-character insertions, deletions, replacements and swaps of neighbours between two words.
int EditDistance(absl::string_view a, absl::string_view b);

// The candidate nearest to `word`, or "" when none is near enough to be what was meant.
std::string Closest(absl::string_view word, const std::vector<std::string>& candidates);

// "16.0 MiB"; "512 B".
std::string FormatBytes(int64_t bytes);

// "1,234,567".
std::string FormatCount(int64_t count);

// "45 s", "3 min 20 s", "2 h 05 min", "4 d 2 h".
std::string FormatSpan(absl::Duration span);

// "1 image", "2 images".
std::string Plural(int64_t count, absl::string_view singular);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_TEXT_H_
