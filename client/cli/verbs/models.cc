#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

constexpr size_t kShownSpace = 12;

std::string ModelState(const v1::Model& model) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Model::State_Name(model.state()), "STATE_"));
}

// What a search re-ranks by when it does not say.
std::string RerankText(const v1::RerankOptions& rerank) {
  if (rerank.method() != v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT) return "off";
  std::string text =
      absl::AsciiStrToLower(absl::StripPrefix(v1::RerankOptions::Marginals_Name(rerank.marginals()), "MARGINALS_"));
  if (rerank.mass() < 1) absl::StrAppend(&text, ", mass ", rerank.mass());
  return text;
}

std::string ModelsTable(const std::vector<v1::Model>& models, TableStyle style) {
  Table table({{"model"},
               {"state"},
               {"architecture"},
               {"dim", Align::kRight},
               {"parameters", Align::kRight},
               {"numeric"},
               {"re-ranking"},
               {"space"},
               {"load", Align::kRight},
               {"warm-up", Align::kRight},
               {"notes"}});
  for (const v1::Model& model : models) {
    const bool ready = model.state() == v1::Model::STATE_READY;
    std::vector<std::string> notes;
    if (model.untrained()) notes.push_back("UNTRAINED");
    if (!model.error().empty()) notes.push_back(absl::StrCat("REFUSED: ", model.error()));
    const auto milliseconds = [&](double value) { return ready ? absl::StrFormat("%.0f ms", value) : std::string(); };
    table.AddRow({model.name(), ModelState(model), model.architecture(),
                  ready ? absl::StrCat(model.descriptor_dim()) : "", ready ? FormatCount(model.parameters()) : "",
                  model.numeric(), ready ? RerankText(model.rerank()) : "",
                  model.embedding_space().substr(0, kShownSpace), milliseconds(model.load_milliseconds()),
                  milliseconds(model.warm_up_milliseconds()), absl::StrJoin(notes, ", ")});
  }
  return table.empty() ? "no models: the server's model root is empty\n" : table.Render(style);
}

int ShowModels(Context& context, const Args& args, const std::vector<v1::Model>& models) {
  if (args.Switch("json")) {
    for (const v1::Model& model : models) context.out.Write(absl::StrCat(JsonMessage(model), "\n"));
  } else {
    context.out.Write(ModelsTable(models, context.style));
  }
  return kOk;
}

int UnloadOne(Context& context, const Args& args, client::Client& client, const std::string& name) {
  const auto collections = client.UnloadModel(name);
  if (!collections.ok()) return Fail(context, args, collections.status());
  if (args.Switch("json")) {
    std::vector<std::string> names;
    for (const std::string& collection : *collections) names.push_back(JsonText(collection));
    context.out.Write(
        absl::StrCat(JsonObject().Text("unloaded", name).Raw("collections", JsonArray(names)).Done(), "\n"));
    return kOk;
  }
  context.out.Write(absl::StrCat("unloaded ", Printable(name), "\n"));
  if (!collections->empty()) {
    context.out.Write(
        absl::StrCat("take no images until it is loaded again: ", Printable(absl::StrJoin(*collections, ", ")), "\n"));
  }
  return kOk;
}

int RunModels(Context& context, const Args& args) {
  const auto& words = args.operands();
  const std::string action = words.empty() ? "list" : words[0];
  const std::vector<std::string> actions = {"list", "get", "load", "unload"};
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) {
    const std::string near = Closest(action, actions);
    return Misused(context, "models",
                   absl::StrCat("unknown action \"", Printable(action), "\".",
                                near.empty() ? "" : absl::StrCat(" Did you mean ", near, "?")));
  }
  const size_t expected = words.empty() ? 0 : action == "list" ? 1 : 2;
  if (words.size() != expected) {
    return Misused(context, "models",
                   absl::StrCat("models ", action, " takes ", action == "list" ? "no name." : "one name."));
  }
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  if (action == "unload") return UnloadOne(context, args, **client, words[1]);
  if (action == "list") {
    const auto models = (*client)->ListModels();
    return models.ok() ? ShowModels(context, args, *models) : Fail(context, args, models.status());
  }
  const auto model = action == "get" ? (*client)->GetModel(words[1]) : (*client)->LoadModel(words[1]);
  return model.ok() ? ShowModels(context, args, {*model}) : Fail(context, args, model.status());
}

}  // namespace

Command ModelsCommand() {
  return {.name = "models",
          .summary = "list, load and unload models",
          .operands = "[list | get NAME | load NAME | unload NAME]",
          .about =
              "Models are folders of the server's model root. Loading one that is loaded already reads its folder\n"
              "again: the old one serves until the new one is ready, and stays when the new one is refused. A model\n"
              "that is unloaded ends the requests it has; collections that it embeds for take no images then.\n\n"
              "  sightline models\n"
              "  sightline models load dtop_r50_vit_b\n"
              "  sightline models unload dtop_tiny\n",
          .flags = {},
          .run = RunModels,
          .actions = {"list", "get", "load", "unload"},
          .aliases = {"model"}};
}

}  // namespace sightline::cli
