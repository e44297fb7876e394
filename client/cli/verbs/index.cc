#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "client/cli/file_source.h"
#include "client/cli/image_files.h"
#include "client/cli/index_report.h"
#include "client/cli/item_attributes.h"
#include "client/cli/known_images.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

// Where the server does not say how much it takes at once.
constexpr int64_t kInFlight = 16;
// One batch in the model, one ready behind it, and two on the way there and back. More would only wait, and on a slow
// model so long that it comes too late.
constexpr int64_t kBatchesInFlight = 4;

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

// What a first walk tells, so that the second one can show how far it is.
struct FileCount {
  int64_t total = 0;
  absl::flat_hash_set<uint64_t> ids = {};
};

FileCount CountFiles(const std::vector<std::string>& operands, const WalkOptions& options) {
  FileCount count;
  FileWalk walk(operands, options);
  while (const auto found = walk.Next()) {
    ++count.total;
    if (found->problem.ok()) count.ids.insert(IdHash(found->file.id));
  }
  return count;
}

int NoFiles(Context& context, const Args& args) {
  const bool filtered = args.Has("include") || args.Has("exclude");
  context.err.Write(absl::StrCat(
      "sightline: no .jpg, .jpeg, .png or .webp file in ", Printable(absl::StrJoin(args.operands(), ", ")),
      filtered ? " that --include and --exclude leave. Change the patterns.\n" : ". Name a folder that has some.\n"));
  return kNothingFound;
}

// Rows and files that do not meet are rarely what was meant.
void TellOfTable(Context& context, const Args& args, const ItemAttributes& attributes) {
  if (!args.Has("attributes") || args.Switch("json")) return;
  const std::string table = Printable(args.Text("attributes"));
  if (attributes.without_row() > 0) {
    context.err.Write(absl::StrCat(Plural(attributes.without_row(), "file"), " without a row in ", table, "\n"));
  }
  if (attributes.unused_rows() > 0) {
    context.err.Write(
        absl::StrCat(Plural(attributes.unused_rows(), "row"), " of ", table, " name no file of this run\n"));
  }
}

int RunIndex(Context& context, const Args& args) {
  if (args.operands().empty()) return Misused(context, "index", "index takes folders or image files.");
  int64_t in_flight = args.Int("in_flight", kInFlight);
  if (in_flight < 1 || in_flight > 1024) {
    return Misused(context, "index", absl::StrCat("--in_flight is ", in_flight, "; it must be 1 to 1024."));
  }
  const auto collection = CollectionOf(args);
  if (!collection.ok()) return Fail(context, args, collection.status());
  const auto common = ParseAttributes(args.Texts("attribute"));
  if (!common.ok()) return Fail(context, args, common.status());
  auto attributes =
      ItemAttributes::Load({.common = *common, .table = args.Text("attributes"), .sidecars = args.Switch("sidecars")});
  if (!attributes.ok()) return Fail(context, args, attributes.status());
  const WalkOptions walk_options = {.id_prefix = args.Text("id_prefix"),
                                    .include = args.Texts("include"),
                                    .exclude = args.Texts("exclude"),
                                    .hidden = args.Switch("hidden")};
  const FileCount count = CountFiles(args.operands(), walk_options);
  if (count.total == 0) return NoFiles(context, args);
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  const auto info = (*client)->GetServerInfo();
  if (!info.ok()) return Fail(context, args, info.status());
  if (!args.Has("in_flight") && info->limits().max_stream_in_flight() > 0) {
    in_flight = std::min<int64_t>(info->limits().max_stream_in_flight(),
                                  std::max(kInFlight, kBatchesInFlight * info->limits().max_batch()));
  }
  const auto target = FindOrCreate(context, args, **client, *collection);
  if (!target.ok()) return Fail(context, args, target.status());
  KnownImages known;
  if (!args.Switch("force") && !args.Has("reembed")) {
    auto loaded = KnownImages::Load(
        **client, count.ids,
        {.collection = *collection, .images = target->stats().images(), .attributes = attributes->any()});
    if (!loaded.ok()) return Fail(context, args, loaded.status());
    known = *std::move(loaded);
  }

  IndexReport report(context, args.Switch("json"), count.total);
  FileWalk walk(args.operands(), walk_options);
  const auto next_file = [&]() -> std::optional<ImageFile> {
    while (auto found = walk.Next()) {
      if (found->problem.ok()) return std::move(found->file);
      report.Failed(found->file.path, "", found->problem);
    }
    return std::nullopt;
  };
  int64_t max_image_bytes = (*client)->options().max_image_bytes;
  if (info->limits().max_image_bytes() > 0) max_image_bytes = info->limits().max_image_bytes();
  FileSource source(context, report, next_file, known, *attributes,
                    {.collection = *collection,
                     .max_image_bytes = max_image_bytes,
                     .reembed_model = args.Text("reembed"),
                     .keep_duplicates = args.Switch("keep_duplicates") || args.Has("reembed")});
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
  TellOfTable(context, args, *attributes);
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
          "skipped, so the same command can be run again at any time: after Ctrl-C, a crash, or with new files. Of\n"
          "files with the same bytes the first is indexed. Hidden files are left out, links to folders not "
          "followed.\n\n"
          "A GLOB without a slash is compared with the name, one with a slash with the path in the folder; * stays in\n"
          "a folder, ** does not. --attributes takes a CSV file with a column \"path\" or \"id\"; each other column "
          "is\n"
          "an attribute, \"key\" or \"key:type\". --sidecars takes photo.jpg.json, one JSON object, with photo.jpg.\n\n"
          "Exit codes: 0 all indexed or skipped, 2 no file found, 4 some failed (listed at the end), 130 "
          "interrupted.\n\n"
          "  sightline index ./photos --collection shop --create\n"
          "  sightline index ./photos --collection shop --include '*.jpg' --exclude drafts --attributes shop.csv\n"
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
                {.name = "attributes", .value = "FILE", .help = "a CSV file with the attributes of each image"},
                {.name = "sidecars",
                 .kind = FlagKind::kSwitch,
                 .help = "take the attributes of x.jpg from x.jpg.json where there is one"},
                {.name = "include", .value = "GLOB", .help = "only files of folders that match", .repeated = true},
                {.name = "exclude", .value = "GLOB", .help = "no files and folders that match", .repeated = true},
                {.name = "hidden", .kind = FlagKind::kSwitch, .help = "hidden files and folders too"},
                {.name = "keep_duplicates",
                 .kind = FlagKind::kSwitch,
                 .help = "index every one of several files with the same bytes"},
                {.name = "force", .kind = FlagKind::kSwitch, .help = "send every image, also those already indexed"},
                {.name = "in_flight",
                 .kind = FlagKind::kInt,
                 .value = "N",
                 .help = "images on their way at once; else four of the server's batches, at least 16"}},
      .run = RunIndex};
}

}  // namespace sightline::cli
