// What sightline-server says of itself: the text of --help, and the manual page sightline-server(8) of --help=man, both
// made from its flags.
//
// Threading: pure functions, once flags are parsed. Failure: none.
#ifndef SIGHTLINE_SERVER_MANUAL_H_
#define SIGHTLINE_SERVER_MANUAL_H_

#include <string>

namespace sightline::server {

// In lines of at most 100 characters, each flag as "--name (what it is); default: value;".
std::string HelpText();

// As roff.
std::string ManPage();

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_MANUAL_H_
