#include "server/version.h"

#include "server/build_info.h"

namespace sightline::server {

std::string Version() { return SIGHTLINE_VERSION; }

std::string Commit() { return SIGHTLINE_COMMIT; }

std::string VersionText() { return Commit().empty() ? Version() : Version() + " (" + Commit() + ")"; }

}  // namespace sightline::server
