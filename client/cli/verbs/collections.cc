#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/evidence_text.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cli/verbs/collections_table.h"
#include "client/cli/verbs/collections_update.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

const std::map<std::string, v1::CollectionSettings::KeepImage>& KeepImages() {
  static const auto* const kinds = new std::map<std::string, v1::CollectionSettings::KeepImage>{
      {"none", v1::CollectionSettings::KEEP_IMAGE_NONE},
      {"preview", v1::CollectionSettings::KEEP_IMAGE_PREVIEW},
      {"original", v1::CollectionSettings::KEEP_IMAGE_ORIGINAL}};
  return *kinds;
}

const std::map<std::string, v1::CollectionSettings::IndexKind>& IndexKinds() {
  static const auto* const kinds =
      new std::map<std::string, v1::CollectionSettings::IndexKind>{{"auto", v1::CollectionSettings::INDEX_KIND_AUTO},
                                                                   {"exact", v1::CollectionSettings::INDEX_KIND_EXACT},
                                                                   {"hnsw", v1::CollectionSettings::INDEX_KIND_HNSW},
                                                                   {"ivf", v1::CollectionSettings::INDEX_KIND_IVF}};
  return *kinds;
}

std::string Describe(const v1::Collection& collection) {
  std::string out;
  const auto add = [&](absl::string_view name, absl::string_view value) {
    if (!value.empty()) absl::StrAppendFormat(&out, "%-18s %s\n", name, Printable(value));
  };
  const auto& stats = collection.stats();
  add("name", collection.name());
  add("aliases", absl::StrJoin(collection.aliases(), ", "));
  add("model", collection.model().empty() ? "none: it takes descriptors only" : collection.model());
  add("embedding_space", collection.embedding_space());
  add("descriptor_dim", absl::StrCat(collection.descriptor_dim()));
  add("created", TimeText(collection.create_time()));
  add("description", collection.settings().description());
  add("images", FormatCount(stats.images()));
  add("deleted_images", FormatCount(stats.deleted_images()));
  add("index", stats.index_choice());
  add("segments",
      absl::StrCat(FormatCount(stats.segments()), ", and ", FormatCount(stats.tail_images()), " images in the tail"));
  if (stats.graph_backlog() > 0) add("graph_backlog", FormatCount(stats.graph_backlog()));
  if (stats.card_images() > 0) {
    add("card", absl::StrCat(FormatCount(stats.card_images()), " images, ", FormatBytes(stats.card_bytes()), ", ",
                             FormatCount(stats.card_scans()), " scans"));
  }
  add("memory", LayersText(stats.memory()));
  add("disk", LayersText(stats.disk()));
  add("confidence", collection.has_confidence() ? FormulaText(collection.confidence()) : "");
  add("read_only", collection.read_only() ? collection.read_only_reason() : "");
  return out;
}

int Show(Context& context, const Args& args, const absl::StatusOr<v1::Collection>& collection) {
  if (!collection.ok()) return Fail(context, args, collection.status());
  context.out.Write(args.Switch("json") ? absl::StrCat(JsonMessage(*collection), "\n") : Describe(*collection));
  return kOk;
}

int List(Context& context, const Args& args, client::Client& client) {
  const auto collections = client.ListAllCollections();
  if (!collections.ok()) return Fail(context, args, collections.status());
  if (args.Switch("json")) {
    for (const auto& collection : *collections) context.out.Write(absl::StrCat(JsonMessage(collection), "\n"));
  } else if (collections->empty()) {
    context.out.Write("no collections; create one with \"sightline collections create NAME\"\n");
  } else {
    context.out.Write(CollectionsTable(*collections, context.style));
  }
  return kOk;
}

int Create(Context& context, const Args& args, client::Client& client, const std::string& name) {
  v1::CreateCollectionRequest request;
  request.set_name(name);
  request.set_model(args.Text("model"));
  request.set_embedding_space(args.Text("embedding_space"));
  request.set_descriptor_dim(args.Int32("descriptor_dim", 0));
  request.mutable_settings()->set_description(args.Text("description"));
  request.mutable_settings()->set_drop_tokens(args.Switch("drop_tokens"));
  if (args.Has("keep_image")) {
    const auto kind = KeepImages().find(args.Text("keep_image"));
    if (kind == KeepImages().end()) {
      return Misused(context, "collections",
                     absl::StrCat("--keep_image is \"", Printable(args.Text("keep_image")),
                                  "\"; it is none, preview or original."));
    }
    request.mutable_settings()->set_keep_image(kind->second);
  }
  if (args.Has("index_kind")) {
    const auto kind = IndexKinds().find(args.Text("index_kind"));
    if (kind == IndexKinds().end()) {
      return Misused(context, "collections",
                     absl::StrCat("--index_kind is \"", Printable(args.Text("index_kind")),
                                  "\"; it is auto, exact, hnsw or ivf."));
    }
    request.mutable_settings()->set_index_kind(kind->second);
  }
  if (args.Has("device")) {
    const std::string device = args.Text("device");
    if (device != "auto" && device != "cpu") {
      return Misused(context, "collections",
                     absl::StrCat("--device is \"", Printable(device), "\"; it is auto or cpu."));
    }
    request.mutable_settings()->set_device(device == "cpu" ? v1::CollectionSettings::DEVICE_CPU
                                                           : v1::CollectionSettings::DEVICE_AUTO);
  }
  request.mutable_settings()->set_hnsw_m(args.Int32("hnsw_m", 0));
  request.mutable_settings()->set_hnsw_ef_construction(args.Int32("hnsw_ef_construction", 0));
  request.mutable_settings()->set_ivf_lists(args.Int32("ivf_lists", 0));
  return Show(context, args, client.CreateCollection(request));
}

int Update(Context& context, const Args& args, client::Client& client, const std::string& name) {
  const auto request = ReadUpdate(args, name);
  if (!request.ok()) return Misused(context, "collections", std::string(request.status().message()));
  return Show(context, args, client.UpdateCollection(*request));
}

int Delete(Context& context, const Args& args, client::Client& client, const std::string& name) {
  if (!args.Switch("yes")) {
    return Misused(
        context, "collections",
        absl::StrCat("deleting \"", Printable(name), "\" deletes all its images for good; add --yes to mean it."));
  }
  const auto deleted = client.DeleteCollection(name);
  if (!deleted.ok()) return Fail(context, args, deleted.status());
  context.out.Write(args.Switch("json")
                        ? absl::StrCat(JsonObject().Text("deleted", name).Int("deleted_images", *deleted).Done(), "\n")
                        : absl::StrCat("deleted ", Printable(name), " with ", Plural(*deleted, "image"), "\n"));
  return kOk;
}

int RunCollections(Context& context, const Args& args) {
  const auto& words = args.operands();
  const std::string action = words.empty() ? "list" : words[0];
  const std::vector<std::string> actions = {"list", "get", "create", "update", "delete"};
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) {
    const std::string near = Closest(action, actions);
    return Misused(context, "collections",
                   absl::StrCat("unknown action \"", Printable(action), "\".",
                                near.empty() ? "" : absl::StrCat(" Did you mean ", near, "?")));
  }
  if (words.size() != (action == "list" ? words.empty() ? 0u : 1u : 2u)) {
    return Misused(context, "collections",
                   absl::StrCat("collections ", action, " takes ", action == "list" ? "no name." : "one name."));
  }
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  if (action == "list") return List(context, args, **client);
  if (action == "get") return Show(context, args, (*client)->GetCollection(words[1]));
  if (action == "create") return Create(context, args, **client, words[1]);
  if (action == "update") return Update(context, args, **client, words[1]);
  return Delete(context, args, **client, words[1]);
}

}  // namespace

std::string CollectionsTable(const std::vector<v1::Collection>& collections, TableStyle style) {
  Table table({{"collection"},
               {"images", Align::kRight},
               {"model"},
               {"dim", Align::kRight},
               {"memory", Align::kRight},
               {"disk", Align::kRight},
               {"index"}});
  for (const auto& collection : collections) {
    table.AddRow({collection.name(), FormatCount(collection.stats().images()),
                  collection.model().empty() ? "-" : collection.model(), absl::StrCat(collection.descriptor_dim()),
                  FormatBytes(collection.stats().memory().total()), FormatBytes(collection.stats().disk().total()),
                  collection.stats().index_choice()});
  }
  return table.Render(style);
}

std::string LayersText(const v1::LayerBytes& bytes) {
  std::vector<std::string> layers;
  for (const auto& [name, value] : {std::pair("descriptors", bytes.descriptors()), std::pair("codes", bytes.codes()),
                                    std::pair("graph", bytes.graph()), std::pair("tokens", bytes.tokens()),
                                    std::pair("attributes", bytes.attributes()), std::pair("images", bytes.images()),
                                    std::pair("log", bytes.log())}) {
    if (value > 0) layers.push_back(absl::StrCat(name, " ", FormatBytes(value)));
  }
  return absl::StrCat(FormatBytes(bytes.total()), layers.empty() ? "" : ": ", absl::StrJoin(layers, ", "));
}

Command CollectionsCommand() {
  return {
      .name = "collections",
      .summary = "list, show, create, change and delete collections",
      .operands = "[list | get NAME | create NAME | update NAME | delete NAME]",
      .about =
          "A collection is a named set of images, all embedded by one model.\n\n"
          "  sightline collections\n"
          "  sightline collections create shop --model dtop_tiny --keep_image preview\n"
          "  sightline collections create vectors --embedding_space my-model-3 --descriptor_dim 768\n"
          "  sightline collections update shop --index_kind hnsw --description spring\n"
          "  sightline collections delete shop --yes\n",
      .flags = {{.name = "model",
                 .value = "MODEL",
                 .help = "create: what embeds the images; else the server's default model"},
                {.name = "embedding_space",
                 .value = "NAME",
                 .help = "create: for descriptors computed elsewhere, a name for their space"},
                {.name = "descriptor_dim",
                 .kind = FlagKind::kInt,
                 .value = "N",
                 .help = "create: with --embedding_space, values of one descriptor"},
                {.name = "keep_image",
                 .value = "KIND",
                 .help = "create, update: none, preview or original",
                 .choices = {"none", "preview", "original"}},
                {.name = "drop_tokens",
                 .kind = FlagKind::kSwitch,
                 .help = "create, update: store no patch tokens (no re-ranking, no evidence)"},
                {.name = "keep_tokens", .kind = FlagKind::kSwitch, .help = "update: store patch tokens from now on"},
                {.name = "index_kind",
                 .value = "KIND",
                 .help = "create, update: auto, exact, hnsw or ivf; else auto",
                 .choices = {"auto", "exact", "hnsw", "ivf"}},
                {.name = "device",
                 .value = "DEVICE",
                 .help = "create, update: auto (the server's card, where it uses one) or cpu; else auto",
                 .choices = {"auto", "cpu"}},
                {.name = "hnsw_m",
                 .kind = FlagKind::kInt,
                 .value = "N",
                 .help = "create: links per node of a graph, 4 to 64; 16 when not given"},
                {.name = "hnsw_ef_construction",
                 .kind = FlagKind::kInt,
                 .value = "N",
                 .help = "create: build width of a graph, 16 to 1000; 200 when not given"},
                {.name = "ivf_lists",
                 .kind = FlagKind::kInt,
                 .value = "N",
                 .help = "create: lists of an inverted index; else the server chooses"},
                {.name = "description", .value = "TEXT", .help = "create, update: words about the collection"},
                {.name = "yes", .short_name = 'y', .kind = FlagKind::kSwitch, .help = "delete: mean it"}},
      .run = RunCollections,
      .actions = {"list", "get", "create", "update", "delete"},
      .aliases = {"collection"}};
}

}  // namespace sightline::cli
