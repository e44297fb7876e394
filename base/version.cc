#include "base/version.h"

#include "absl/strings/str_cat.h"
#include "base/build_info.h"

namespace sightline::base {

std::string Version() { return SIGHTLINE_VERSION; }

std::string Commit() { return SIGHTLINE_COMMIT; }

std::string VersionText() { return Commit().empty() ? Version() : absl::StrCat(Version(), " (", Commit(), ")"); }

std::string VersionLine(absl::string_view program) { return absl::StrCat(program, " ", VersionText(), "\n"); }

}  // namespace sightline::base
