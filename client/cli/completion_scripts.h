// CompletionScripts: what teaches a shell to complete the words of `sightline`. Each script asks the program itself
// (complete.h), so that it need not be renewed with it.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_COMPLETION_SCRIPTS_H_
#define SIGHTLINE_CLIENT_CLI_COMPLETION_SCRIPTS_H_

#include "absl/strings/string_view.h"

namespace sightline::cli {

// `shell`: bash, zsh or fish; empty for another.
absl::string_view CompletionScript(absl::string_view shell);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_COMPLETION_SCRIPTS_H_
