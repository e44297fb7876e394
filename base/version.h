// What was built. A library of its own: it changes with every commit, and so do the programs that link it.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_BASE_VERSION_H_
#define SIGHTLINE_BASE_VERSION_H_

#include <string>

#include "absl/strings/string_view.h"

namespace sightline::base {

std::string Version();      // "0.1.0"
std::string Commit();       // short commit, "-dirty" when the tree had changes, empty when unknown
std::string VersionText();  // "0.1.0 (abc1234)"

// What `program --version` prints: "program 0.1.0 (abc1234)" and the end of the line.
std::string VersionLine(absl::string_view program);

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_VERSION_H_
