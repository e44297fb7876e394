#include "absl/strings/str_cat.h"
#include "client/cli/json.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

int RunVersion(Context& context, const Args& args) {
  const std::string text = args.Switch("json") ? JsonObject().Text("version", SIGHTLINE_VERSION).Done()
                                               : absl::StrCat("sightline ", SIGHTLINE_VERSION);
  context.out.Write(absl::StrCat(text, "\n"));
  return kOk;
}

}  // namespace

Command VersionCommand() {
  return {.name = "version",
          .summary = "print the version of this program",
          .operands = "",
          .about = "Prints the version of this program. \"sightline status\" prints the server's.\n",
          .flags = {},
          .run = RunVersion};
}

}  // namespace sightline::cli
