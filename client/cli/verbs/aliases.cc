#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

int ListAliases(Context& context, const Args& args, client::Client& client) {
  const auto collections = client.ListAllCollections();
  if (!collections.ok()) return Fail(context, args, collections.status());
  Table table({{"alias"}, {"collection"}});
  for (const v1::Collection& collection : *collections) {
    for (const std::string& alias : collection.aliases()) {
      table.AddRow({alias, collection.name()});
      if (args.Switch("json")) {
        context.out.Write(
            absl::StrCat(JsonObject().Text("alias", alias).Text("collection", collection.name()).Done(), "\n"));
      }
    }
  }
  if (args.Switch("json")) return kOk;
  context.out.Write(table.empty() ? "no aliases; set one with \"sightline aliases set ALIAS COLLECTION\"\n"
                                  : table.Render());
  return kOk;
}

int SetAlias(Context& context, const Args& args, client::Client& client, const std::string& alias,
             const std::string& name) {
  const auto collection = client.SetAlias(alias, name);
  if (!collection.ok()) return Fail(context, args, collection.status());
  context.out.Write(args.Switch("json") ? absl::StrCat(JsonMessage(*collection), "\n")
                                        : absl::StrCat(Printable(alias), " stands for ", collection->name(), "\n"));
  return kOk;
}

int DeleteAlias(Context& context, const Args& args, client::Client& client, const std::string& alias) {
  if (const absl::Status deleted = client.DeleteAlias(alias); !deleted.ok()) return Fail(context, args, deleted);
  context.out.Write(args.Switch("json") ? absl::StrCat(JsonObject().Text("deleted_alias", alias).Done(), "\n")
                                        : absl::StrCat("deleted the alias ", Printable(alias), "\n"));
  return kOk;
}

int RunAliases(Context& context, const Args& args) {
  const auto& words = args.operands();
  const std::string action = words.empty() ? "list" : words[0];
  const std::vector<std::string> actions = {"list", "set", "delete"};
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) {
    const std::string near = Closest(action, actions);
    return Misused(context, "aliases",
                   absl::StrCat("unknown action \"", Printable(action), "\".",
                                near.empty() ? "" : absl::StrCat(" Did you mean ", near, "?")));
  }
  const size_t wanted = action == "list" ? 0 : action == "set" ? 2 : 1;
  if (words.size() > wanted + 1 || (words.size() < wanted + 1 && wanted > 0)) {
    return Misused(context, "aliases",
                   action == "list"  ? "aliases list takes no name."
                   : action == "set" ? "aliases set takes an alias and the name of a collection."
                                     : "aliases delete takes one alias.");
  }
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  if (action == "list") return ListAliases(context, args, **client);
  if (action == "set") return SetAlias(context, args, **client, words[1], words[2]);
  return DeleteAlias(context, args, **client, words[1]);
}

}  // namespace

Command AliasesCommand() {
  return {
      .name = "aliases",
      .summary = "list, set, move and delete names that stand for collections",
      .operands = "[list | set ALIAS COLLECTION | delete ALIAS]",
      .about =
          "An alias is a name that stands for a collection wherever one is named. Setting it again moves it, at once\n"
          "and for all callers; deleting it leaves the collection as it is.\n\n"
          "  sightline aliases set shop shop-2026\n"
          "  sightline aliases set shop shop-2027\n"
          "  sightline aliases delete shop\n",
      .flags = {},
      .run = RunAliases,
      .actions = {"list", "set", "delete"},
      .aliases = {"alias"}};
}

}  // namespace sightline::cli
