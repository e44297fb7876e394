// Help: the texts of --help.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_HELP_H_
#define SIGHTLINE_CLIENT_CLI_HELP_H_

#include <string>
#include <vector>

#include "client/cli/command.h"

namespace sightline::cli {

std::string HelpOfProgram(const std::vector<Command>& commands);
std::string HelpOf(const Command& command);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_HELP_H_
