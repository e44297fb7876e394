// What was built.
#ifndef SIGHTLINE_SERVER_VERSION_H_
#define SIGHTLINE_SERVER_VERSION_H_

#include <string>

namespace sightline::server {

std::string Version();      // "0.1.0"
std::string Commit();       // short commit, "-dirty" when the tree had changes, empty when unknown
std::string VersionText();  // "0.1.0 (abc1234)"

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_VERSION_H_
