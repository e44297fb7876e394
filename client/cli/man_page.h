// ManPage: sightline(1) as roff, from the texts of --help.
//
// Threading: a pure function. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_MAN_PAGE_H_
#define SIGHTLINE_CLIENT_CLI_MAN_PAGE_H_

#include <string>
#include <vector>

#include "client/cli/command.h"

namespace sightline::cli {

std::string ManPage(const std::vector<Command>& commands);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_MAN_PAGE_H_
