// Text for a terminal of 100 columns.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_SERVER_OBSERVE_COLUMNS_H_
#define SIGHTLINE_SERVER_OBSERVE_COLUMNS_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace sightline::server {

// Control characters, line ends among them, as `?`: what a caller wrote stays on its line and moves no cursor.
std::string Printable(absl::string_view text);

// Breaks long lines at spaces, within a word where one is longer than a line. What follows is indented by four more
// than the line. `columns` is at least 8.
std::string FitColumns(absl::string_view text, size_t columns = 100);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OBSERVE_COLUMNS_H_
