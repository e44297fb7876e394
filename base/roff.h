// Text of a manual page as roff takes it.
//
// Threading: pure. Failure: none.
#ifndef SIGHTLINE_BASE_ROFF_H_
#define SIGHTLINE_BASE_ROFF_H_

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace sightline::base {

// One line: a hyphen of a flag stays one that can be copied, as do the others that roff draws otherwise, and no line begins
// a request.
inline std::string RoffText(absl::string_view line) {
  const std::string out = absl::StrReplaceAll(
      line, {{"\\", "\\e"}, {"-", "\\-"}, {"'", "\\(aq"}, {"`", "\\(ga"}, {"~", "\\(ti"}, {"^", "\\(ha"}});
  return absl::StartsWith(out, ".") ? absl::StrCat("\\&", out) : out;
}

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_ROFF_H_
