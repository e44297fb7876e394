#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "client/cli/file_source.h"
#include "client/cli/image_files.h"
#include "client/cli/index_report.h"
#include "client/cli/known_images.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

absl::StatusOr<v1::Collection> FindOrCreate(Context& context, const Args& args, client::Client& client,
                                            const std::string& name) {
  auto collection = client.GetCollection(name);
  if (collection.ok() || collection.status().code() != absl::StatusCode::kNotFound || !args.Switch("create")) {
    return collection;
  }
  v1::CreateCollectionRequest request;
  request.set_name(name);
  request.set_model(args.Text("model"));
  SIGHTLINE_ASSIGN_OR_RETURN(auto created, client.CreateCollection(request));
  if (!args.Switch("json")) {
    context.err.Write(absl::StrCat("created collection ", name, " with model ", Printable(created.model()), "\n"));
  }
  return created;
}

int RunIndex(Context& context, const Args& args) {
  if (args.operands().empty()) return Misused(context, "index", "index takes folders or image files.");
  const int64_t in_flight = args.Int("in_flight", 16);
  if (in_flight < 1 || in_flight > 1024) {
    return Misused(context, "index", absl::StrCat("--in_flight is ", in_flight, "; it must be 1 to 1024."));
  }
  const auto collection = CollectionOf(args);
  if (!collection.ok()) return Fail(context, args, collection.status());
  const auto attributes = ParseAttributes(args.Texts("attribute"));
  if (!attributes.ok()) return Fail(context, args, attributes.status());
  const ImageFiles found = FindImageFiles(args.operands(), args.Text("id_prefix"));
  if (found.files.empty() && found.problems.empty()) {
    context.err.Write(absl::StrCat("sightline: no .jpg, .jpeg, .png or .webp file in ",
                                   Printable(absl::StrJoin(args.operands(), ", ")),
                                   ". Name a folder that has some.\n"));
    return kNothingFound;
  }
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  const auto info = (*client)->GetServerInfo();
  if (!info.ok()) return Fail(context, args, info.status());
  const auto target = FindOrCreate(context, args, **client, *collection);
  if (!target.ok()) return Fail(context, args, target.status());
  KnownImages known;
  if (!args.Switch("force") && !args.Has("reembed")) {
    auto loaded = LoadKnownImages(**client, *collection, target->stats().images(), found.files, *attributes);
    if (!loaded.ok()) return Fail(context, args, loaded.status());
    known = *std::move(loaded);
  }

  IndexReport report(context, args.Switch("json"), static_cast<int64_t>(found.files.size() + found.problems.size()));
  for (const auto& [path, status] : found.problems) report.Failed(path, "", status);
  int64_t max_image_bytes = (*client)->options().max_image_bytes;
  if (info->limits().max_image_bytes() > 0) max_image_bytes = info->limits().max_image_bytes();
  FileSource source(context, report, found.files, known,
                    {*collection, *attributes, max_image_bytes, args.Text("reembed")});
  client::IndexManyOptions options;
  options.max_in_flight = static_cast<int>(in_flight);
  options.reply_timeout = args.Span("timeout", options.reply_timeout);
  options.stop = [&] {
    report.Tick();
    return context.interrupted && context.interrupted();
  };
  const auto summary =
      (*client)->IndexMany([&] { return source.Next(); }, [&](const auto& outcome) { source.Tell(outcome); }, options);
  const int code = report.Finish(context.interrupted && context.interrupted());
  return summary.ok() ? code : Fail(context, args, summary.status());
}

}  // namespace

Command IndexCommand() {
  return {
      .name = "index",
      .summary = "make images searchable",
      .operands = "DIR|FILE...",
      .about =
          "Sends .jpg, .jpeg, .png and .webp files to a collection. An image's id is its path relative to the folder\n"
          "given, or the path of a file named itself. Images that the collection has already, byte for byte, are\n"
          "skipped, so the same command can be run again at any time: after Ctrl-C, a crash, or with new files.\n"
          "Exit codes: 0 all indexed or skipped, 4 some failed (listed at the end), 130 interrupted.\n\n"
          "  sightline index ./photos --collection shop --create\n"
          "  sightline index ./spring --collection shop --id_prefix spring/ --attribute season=spring\n"
          "  sightline index new.jpg --collection shop --attribute price:double=9.5 --json\n",
      .flags = {CollectionFlag(),
                {.name = "create",
                 .kind = FlagKind::kSwitch,
                 .help = "create the collection when there is none of this name"},
                {.name = "model",
                 .value = "MODEL",
                 .help = "with --create, what embeds the images; else the server's default model"},
                {.name = "reembed",
                 .value = "MODEL",
                 .help = "send stored images again, for \"sightline reembed --model MODEL\" to go on with"},
                {.name = "id_prefix", .value = "TEXT", .help = "put this before every id"},
                {.name = "attribute",
                 .value = "KEY[:TYPE]=VALUE",
                 .help = "store it with every image; TYPE is string, int64, double, bool or list",
                 .repeated = true},
                {.name = "force", .kind = FlagKind::kSwitch, .help = "send every image, also those already indexed"},
                {.name = "in_flight",
                 .kind = FlagKind::kInt,
                 .value = "N",
                 .help = "images on their way at once; 16 when not given"}},
      .run = RunIndex};
}

}  // namespace sightline::cli
