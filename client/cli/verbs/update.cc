#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cli/json.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

absl::StatusOr<v1::UpdateAttributesRequest> BuildUpdate(const Args& args) {
  v1::UpdateAttributesRequest request;
  SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_collection(), CollectionOf(args));
  SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_set(), ParseAttributes(args.Texts("set"), "set"));
  for (std::string& key : args.Texts("remove")) request.add_remove(std::move(key));
  request.set_replace(args.Switch("replace"));
  return request;
}

int RunUpdate(Context& context, const Args& args) {
  if (args.operands().empty()) return Misused(context, "update", "update takes the ids of images.");
  if (!args.Has("set") && !args.Has("remove") && !args.Switch("replace")) {
    return Misused(context, "update", "there is nothing to change. Give --set, --remove or --replace.");
  }
  auto request = BuildUpdate(args);
  if (!request.ok()) return Fail(context, args, request.status());
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  int64_t updated = 0;
  int64_t not_found = 0;
  for (const std::string& id : args.operands()) {
    request->set_id(id);
    const auto image = (*client)->UpdateAttributes(*request);
    if (base::GetErrorInfo(image.status()).reason == "IMAGE_NOT_FOUND") {
      ++not_found;
      continue;
    }
    // What was done before stays done, and doing it again does no harm.
    if (!image.ok()) return Fail(context, args, image.status());
    ++updated;
    if (args.Switch("json")) context.out.Write(absl::StrCat(JsonMessage(*image), "\n"));
  }
  const std::string missing = not_found > 0 ? absl::StrCat(FormatCount(not_found), " not found") : "";
  if (!args.Switch("json")) {
    context.out.Write(absl::StrCat("updated ", Plural(updated, "image"), missing.empty() ? "" : "; ", missing, "\n"));
  } else if (!missing.empty()) {
    context.err.Write(absl::StrCat(missing, "\n"));
  }
  return updated > 0 ? kOk : kNothingFound;
}

}  // namespace

Command UpdateCommand() {
  return {.name = "update",
          .summary = "change the attributes of indexed images",
          .operands = "ID...",
          .about =
              "Sets and removes attributes; others stay, and nothing is embedded again. Ids that do not exist are\n"
              "counted. Exit code 2 when nothing was updated.\n\n"
              "  sightline update shoes/17.jpg shoes/18.jpg --collection shop --set price:double=9.5 --set brand=acme\n"
              "  sightline update shoes/17.jpg --collection shop --remove season\n"
              "  sightline update shoes/17.jpg --collection shop --replace --set colours:list=red,blue\n",
          .flags = {CollectionFlag(),
                    {.name = "set",
                     .value = "KEY[:TYPE]=VALUE",
                     .help = "set an attribute; TYPE is string, int64, double, bool or list",
                     .repeated = true},
                    {.name = "remove", .value = "KEY", .help = "remove an attribute", .repeated = true},
                    {.name = "replace", .kind = FlagKind::kSwitch, .help = "remove every attribute first"}},
          .run = RunUpdate};
}

}  // namespace sightline::cli
