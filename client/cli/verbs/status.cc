#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/verbs/collections_table.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

std::string ModelsTable(const v1::GetServerInfoResponse& info) {
  Table table({{"model"}, {"state"}, {"dim", Align::kRight}, {"parameters", Align::kRight}, {"numeric"}, {"notes"}});
  for (const auto& model : info.models()) {
    std::vector<std::string> notes;
    if (model.name() == info.default_model()) notes.push_back("default");
    if (model.untrained()) notes.push_back("UNTRAINED");
    if (!model.error().empty()) notes.push_back(model.error());
    const std::string& state = v1::Model::State_Name(model.state());
    table.AddRow({model.name(), state.substr(std::min(state.size(), sizeof "STATE_" - 1)),
                  absl::StrCat(model.descriptor_dim()), FormatCount(model.parameters()), model.numeric(),
                  absl::StrJoin(notes, ", ")});
  }
  return table.empty() ? "no models: this server takes descriptors only\n" : table.Render();
}

std::string LimitsText(const v1::Limits& limits) {
  return absl::StrFormat(
      "limits: messages %s, images %s, %s pixels, %s px a side; top_k %s; %s requests and %s images in hand; "
      "memory of the collections %s\n",
      FormatBytes(limits.max_message_bytes()), FormatBytes(limits.max_image_bytes()), FormatCount(limits.max_pixels()),
      FormatCount(limits.max_image_side()), FormatCount(limits.max_top_k()), FormatCount(limits.max_in_flight()),
      FormatCount(limits.max_queue()),
      limits.memory_budget_bytes() > 0 ? FormatBytes(limits.memory_budget_bytes()) : "unlimited");
}

std::string DecodingText(const v1::GetServerInfoResponse& info) {
  const v1::Limits& limits = info.limits();
  if (info.decode_isolation() == v1::GetServerInfoResponse::DECODE_ISOLATION_UNSPECIFIED) return "";  // an older one
  const bool apart = info.decode_isolation() == v1::GetServerInfoResponse::DECODE_ISOLATION_PROCESS;
  return absl::StrCat("images are decoded ", apart ? "in processes of their own" : "INSIDE THE SERVER", ", ",
                      FormatBytes(limits.decode_memory_bytes()), " for all at once\n");
}

std::string CardText(const v1::GetServerInfoResponse& info) {
  if (!info.has_index_card()) return "";
  const auto& card = info.index_card();
  if (card.device().empty()) return absl::StrCat("index on the CPU: ", Printable(card.why_none()), "\n");
  if (card.lost()) return absl::StrCat("index on the CPU: ", Printable(card.device()), " WAS LOST\n");
  return absl::StrCat("index on ", Printable(card.device()), " (", Printable(card.name()), "), inverted lists on the ",
                      card.inverted_lists() ? "card" : "CPU", ", re-ranking on the ", card.rerank() ? "card" : "CPU",
                      "\n");
}

std::string BytesByLayer(const std::vector<v1::Collection>& collections) {
  std::string out;
  for (const auto& collection : collections) {
    absl::StrAppend(&out, "\n", Printable(collection.name()), "\n  memory ", LayersText(collection.stats().memory()),
                    "\n  disk   ", LayersText(collection.stats().disk()), "\n");
  }
  return out;
}

int RunStatus(Context& context, const Args& args) {
  if (!args.operands().empty()) return Misused(context, "status", "status takes no operands.");
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  const auto info = (*client)->GetServerInfo();
  if (!info.ok()) return Fail(context, args, info.status());
  const auto collections = (*client)->ListAllCollections();
  if (!collections.ok()) return Fail(context, args, collections.status());
  if (args.Switch("json")) {
    std::vector<std::string> list;
    for (const auto& collection : *collections) list.push_back(JsonMessage(collection));
    context.out.Write(absl::StrCat(JsonObject()
                                       .Text("address", (*client)->options().address)
                                       .Raw("server", JsonMessage(*info))
                                       .Raw("collections", JsonArray(list))
                                       .Done(),
                                   "\n"));
    return kOk;
  }
  const absl::Duration up = context.clock.Now() - absl::FromUnixSeconds(info->start_time().seconds());
  std::string out =
      absl::StrFormat("Sightline %s at %s, up %s\nSIMD %s, models %s, BLAS %s, devices %s\n",
                      Printable(info->version()), (*client)->options().address, FormatSpan(up), info->simd_level(),
                      info->cpu_capability().empty() ? "unknown" : info->cpu_capability(),
                      info->blas().empty() ? "none" : info->blas(), absl::StrJoin(info->devices(), ", "));
  absl::StrAppend(&out, LimitsText(info->limits()), DecodingText(*info), CardText(*info), "\n", ModelsTable(*info),
                  "\n", collections->empty() ? "no collections\n" : CollectionsTable(*collections),
                  BytesByLayer(*collections));
  for (const auto& warning : info->warnings()) absl::StrAppend(&out, "\nWARNING: ", Printable(warning));
  if (info->warnings_size() > 0) absl::StrAppend(&out, "\n");
  context.out.Write(out);
  return kOk;
}

}  // namespace

Command StatusCommand() {
  return {.name = "status",
          .summary = "show the server: models, collections, limits, warnings",
          .operands = "",
          .about = "Prints what the server is, how long it has run, what it holds and what an operator should know.\n",
          .flags = {},
          .run = RunStatus};
}

}  // namespace sightline::cli
