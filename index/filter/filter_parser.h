// ParseFilter: from a filter's text to a Filter. docs/filters.md has the grammar.
//
// Threading: a pure function. Ownership: plain values. Failure: INVALID_ARGUMENT with the reason FILTER_INVALID, a
// message that says what was found at which byte and what was expected there, and the facts `position` (the byte,
// counted from 0), and `limit` and `actual` where a limit was crossed. Texts of the caller are not repeated in it,
// apart from words and numbers in ASCII.
//
//   absl::StatusOr<Filter> filter = ParseFilter(R"(tags IN ("red", "blue") AND price < 20)");
#ifndef SIGHTLINE_INDEX_FILTER_FILTER_PARSER_H_
#define SIGHTLINE_INDEX_FILTER_FILTER_PARSER_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "index/filter/filter.h"

namespace sightline::index {

// What a text may hold. Evaluation takes time in proportion to the comparisons, so they bound what one caller can ask.
constexpr size_t kMaxFilterBytes = 8 * 1024;
constexpr int kMaxFilterDepth = 64;  // parentheses and NOTs inside each other
constexpr int kMaxFilterComparisons = 1000;
constexpr int kMaxFilterInValues = 1000;  // of one IN

// A text of nothing but spaces is the filter that takes every image.
absl::StatusOr<Filter> ParseFilter(absl::string_view text);

// Whether an attribute can have this key: 1 to 64 letters, digits, '_', '-' and '.', starting with a letter.
bool IsAttributeKey(absl::string_view key);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_FILTER_PARSER_H_
