#include "absl/strings/str_cat.h"
#include "client/cli/follow.h"
#include "client/cli/json.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

int DropSpace(Context& context, const Args& args, client::Client& client, const std::string& name) {
  if (!args.Switch("yes")) {
    return Misused(context, "reembed",
                   absl::StrCat("dropping the other space of ", Printable(name),
                                " leaves no way back to it; add --yes to mean it."));
  }
  const absl::Status dropped = client.DropOtherSpace(name);
  if (!dropped.ok()) return Fail(context, args, dropped);
  context.out.Write(args.Switch("json") ? absl::StrCat(JsonObject().Text("dropped", name).Done(), "\n")
                                        : absl::StrCat("dropped the other space of ", Printable(name), "\n"));
  return kOk;
}

int RunReembed(Context& context, const Args& args) {
  if (args.operands().size() != 1) return Misused(context, "reembed", "reembed takes the name of one collection.");
  const int ways = (args.Has("model") ? 1 : 0) + (args.Switch("rollback") ? 1 : 0) + (args.Switch("drop") ? 1 : 0);
  if (ways != 1) return Misused(context, "reembed", "reembed takes one of --model, --rollback and --drop.");
  const std::string& name = args.operands()[0];
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  if (args.Switch("drop")) return DropSpace(context, args, **client, name);
  v1::ReembedCollectionRequest request;
  request.set_name(name);
  request.set_model(args.Text("model"));
  request.set_rollback(args.Switch("rollback"));
  request.set_keep_old_hours(args.Int32("keep_old_hours", 0));
  request.set_allow_partial(args.Switch("allow_partial"));
  const auto started = (*client)->ReembedCollection(request);
  if (!started.ok()) return Fail(context, args, started.status());
  const auto ended = FollowUnlessDetached(context, args, **client, *started);
  if (!ended.ok()) return Fail(context, args, ended.status());
  if (!ended->has_value()) return kOk;
  const int code = ReportEnded(context, args, **ended);
  v1::ReembedCollectionResult result;
  if (code == kOk && !args.Switch("json") && (*ended)->result().UnpackTo(&result)) {
    context.out.Write(absl::StrCat(Printable(name), " is embedded by ", Printable(result.collection().model()), ": ",
                                   Plural(result.collection().stats().images(), "image"), ", ",
                                   FormatCount(result.embedded()), " embedded now\n"));
    for (const auto& one : result.left_out_images()) {
      context.out.Write(absl::StrCat("left out: ", Printable(one.id()), ": ", Printable(one.reason()), "\n"));
    }
  }
  return code == kOk && result.left_out() > 0 ? kPartial : code;
}

}  // namespace

Command ReembedCommand() {
  return {
      .name = "reembed",
      .summary = "embed a collection again with another model, or go back",
      .operands = "COLLECTION",
      .about =
          "Fills a second space of the collection from its kept originals, while searches and writes go on, and swaps\n"
          "the two in one step. The space before is kept for 24 hours, for --rollback. Images without a kept original\n"
          "stop it before the swap: send them again with \"index --reembed MODEL\" and run the same command again, or\n"
          "leave them out with --allow_partial. What is done is never done twice.\n"
          "Exit codes: 0 swapped, 1 failed or cancelled, 4 swapped without some images.\n\n"
          "  sightline models load new_model\n"
          "  sightline reembed shop --model new_model\n"
          "  sightline reembed shop --rollback            back to the space before\n"
          "  sightline reembed shop --drop --yes          drop the space before, or one half filled\n",
      .flags = {{.name = "model", .value = "MODEL", .help = "embed with this model, which must be loaded"},
                {.name = "rollback", .kind = FlagKind::kSwitch, .help = "go back to the space before the last swap"},
                {.name = "drop", .kind = FlagKind::kSwitch, .help = "delete the space that is not served"},
                {.name = "keep_old_hours",
                 .kind = FlagKind::kInt,
                 .value = "N",
                 .help = "how long the space before is kept; 24 when not given"},
                {.name = "allow_partial",
                 .kind = FlagKind::kSwitch,
                 .help = "swap even if some images could not be embedded; they are then missing"},
                {.name = "detach", .kind = FlagKind::kSwitch, .help = "print the operation's name and do not wait"},
                {.name = "yes", .short_name = 'y', .kind = FlagKind::kSwitch, .help = "drop: mean it"}},
      .run = RunReembed};
}

}  // namespace sightline::cli
