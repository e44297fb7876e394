// Run: finds the verb and runs it.
//
// Threading: once at a time. Failure: the exit code, with a line on `err`.
#ifndef SIGHTLINE_CLIENT_CLI_RUN_H_
#define SIGHTLINE_CLIENT_CLI_RUN_H_

#include <string>
#include <vector>

#include "client/cli/command.h"

namespace sightline::cli {

// All verbs, in the order of the help.
const std::vector<Command>& Commands();

// `words` are the program's arguments without its name.
int Run(Context& context, const std::vector<std::string>& words);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_RUN_H_
