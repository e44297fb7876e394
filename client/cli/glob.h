// Glob: whether a path fits a pattern as people write them for --include and --exclude.
//
// `*` and `?` stand for any characters and one character of a name, `[a-z]` and `[!a-z]` for one of a set, `**` for
// any number of folders, and a backslash takes the sign behind it as it is. A pattern without a slash is compared with
// the name alone, at any depth; one with a slash with the whole path, from the folder that was given.
//
// Threading: pure functions. Failure: none; a bracket that is not closed stands for itself.
#ifndef SIGHTLINE_CLIENT_CLI_GLOB_H_
#define SIGHTLINE_CLIENT_CLI_GLOB_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sightline::cli {

// `path` is relative, with slashes.
bool GlobMatches(absl::string_view pattern, absl::string_view path);

bool AnyGlobMatches(const std::vector<std::string>& patterns, absl::string_view path);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_GLOB_H_
