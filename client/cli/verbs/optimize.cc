#include "absl/strings/str_cat.h"
#include "client/cli/follow.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

int RunOptimize(Context& context, const Args& args) {
  if (args.operands().size() != 1) return Misused(context, "optimize", "optimize takes the name of one collection.");
  v1::OptimizeCollectionRequest request;
  request.set_name(args.operands()[0]);
  request.set_augment_neighbours(args.Int32("augment", 0));
  if (args.Has("augment_alpha")) request.set_augment_alpha(args.Number("augment_alpha", 3));
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  const auto started = (*client)->OptimizeCollection(request);
  if (!started.ok()) return Fail(context, args, started.status());
  const auto ended = FollowUnlessDetached(context, args, **client, *started);
  if (!ended.ok()) return Fail(context, args, ended.status());
  if (!ended->has_value()) return kOk;
  return ReportEnded(context, args, **ended);
}

}  // namespace

Command OptimizeCommand() {
  return {
      .name = "optimize",
      .summary = "seal, merge and rebuild a collection's index now",
      .operands = "COLLECTION",
      .about =
          "Does at once what the server does in the background as it finds it due: seals the tail, rebuilds segments\n"
          "with deleted images, finishes every graph. Follows the work until it ends; the work itself belongs to the\n"
          "server and goes on without this program. Exit code 1 when it fails or is cancelled.\n\n"
          "  sightline optimize shop\n"
          "  sightline optimize shop --augment 10     each descriptor becomes a weighted sum with its neighbours\n"
          "  sightline optimize shop --augment 0      and back to the descriptors as they were written\n"
          "  sightline optimize shop --detach         only start it; \"sightline operations\" shows it\n",
      .flags = {{.name = "augment",
                 .kind = FlagKind::kInt,
                 .value = "N",
                 .help = "neighbours of database-side augmentation; 0, the default, is none"},
                {.name = "augment_alpha",
                 .kind = FlagKind::kNumber,
                 .value = "X",
                 .help = "the exponent of the neighbours' cosines; 3 when not given"},
                {.name = "detach", .kind = FlagKind::kSwitch, .help = "print the operation's name and do not wait"}},
      .run = RunOptimize};
}

}  // namespace sightline::cli
