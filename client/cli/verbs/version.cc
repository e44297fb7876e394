#include "base/version.h"

#include "absl/strings/str_cat.h"
#include "client/cli/json.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

int RunVersion(Context& context, const Args& args) {
  if (!args.Switch("json")) {
    context.out.Write(base::VersionLine("sightline"));
    return kOk;
  }
  const std::string json = JsonObject().Text("version", base::Version()).Text("commit", base::Commit()).Done();
  context.out.Write(absl::StrCat(json, "\n"));
  return kOk;
}

}  // namespace

Command VersionCommand() {
  return {.name = "version",
          .summary = "print the version and the commit of this program",
          .operands = "",
          .about =
              "Prints the version of this program, and the commit that it was built from. \"sightline status\" prints "
              "the server's.\n",
          .flags = {},
          .run = RunVersion};
}

}  // namespace sightline::cli
