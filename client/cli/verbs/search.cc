#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "client/cli/expand_flags.h"
#include "client/cli/json.h"
#include "client/cli/rerank_flags.h"
#include "client/cli/search_page.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

// A page has a slider for how many pairs are shown.
constexpr int32_t kPagePairs = 40;
constexpr int32_t kMostExplained = 100;  // what the API allows

// What an operator must not overlook, loudly.
void WriteWarnings(Context& context, const v1::SearchStats& stats) {
  if (stats.model().untrained()) {
    context.err.Write(
        absl::StrCat("WARNING: the model ", Printable(stats.model().model()),
                     " is untrained: the ranking shows that the service works, not how well it finds.\n"));
  }
  if (stats.degraded()) {
    context.err.Write(absl::StrCat("DEGRADED: ", Printable(absl::StrJoin(stats.degraded_reasons(), " ")), "\n"));
  }
}

// "searched 480 images (exact, 12 match the filter): decode 3.1 ms, embed 81.0 ms, search 0.2 ms, total 84.9 ms".
std::string Footer(const v1::SearchStats& stats, bool filtered) {
  std::vector<std::string> stages;
  for (const auto& stage : stats.stages()) {
    stages.push_back(absl::StrFormat("%s %.1f ms", stage.stage(), stage.milliseconds()));
    if (stage.batch_size() > 1) absl::StrAppend(&stages.back(), " (batch of ", stage.batch_size(), ")");
  }
  return absl::StrCat("searched ", Plural(stats.images(), "image"), " (", stats.index().empty() ? "?" : stats.index(),
                      filtered ? absl::StrCat(", ", FormatCount(stats.matching()), " match the filter") : "", ")",
                      stages.empty() ? "" : ": ", absl::StrJoin(stages, ", "), "\n");
}

void WriteTable(Context& context, const v1::SearchResponse& response, bool attributes) {
  bool reranked = false;
  bool confident = false;
  for (const auto& result : response.results()) {
    reranked = reranked || result.has_rerank_score();
    confident = confident || result.has_confidence();
  }
  std::vector<Table::Column> columns = {{"rank", Align::kRight}, {"id"}, {"score", Align::kRight}};
  if (confident) columns.push_back({"confidence", Align::kRight});
  if (reranked) {
    columns.push_back({"rerank", Align::kRight});
    columns.push_back({"was", Align::kRight});
  }
  if (attributes) columns.push_back({"attributes"});
  Table table(columns);
  for (const auto& result : response.results()) {
    std::vector<std::string> row = {absl::StrCat(result.rank()), result.id(), absl::StrFormat("%.4f", result.score())};
    if (confident) row.push_back(result.has_confidence() ? absl::StrFormat("%.3f", result.confidence()) : "");
    if (reranked) {
      row.push_back(result.has_rerank_score() ? absl::StrFormat("%.4f", result.rerank_score()) : "");
      row.push_back(absl::StrCat(result.rank_before_rerank()));
    }
    if (attributes) row.push_back(AttributesText(result.attributes()));
    table.AddRow(row);
  }
  context.out.Write(table.Render(context.style));
}

absl::Status SetRerank(const Args& args, v1::SearchRequest* request) {
  // What was not asked for is not sent: the model decides.
  bool reranks = false;
  for (const FlagSpec& flag : RerankFlags()) reranks = reranks || args.Has(flag.name);
  if (reranks) {
    SIGHTLINE_ASSIGN_OR_RETURN(*request->mutable_rerank(), RerankOf(args));
  }
  if (args.Has("explain")) {
    auto& explain = *request->mutable_explain();
    explain.set_enabled(true);
    explain.set_heat_maps(true);
    explain.set_correspondences(args.Int32("correspondences", kPagePairs));
    explain.set_results(std::clamp(request->top_k(), 1, kMostExplained));
  } else if (args.Has("correspondences")) {
    return base::InvalidArgument("USAGE", "--correspondences says how much --explain shows. Add --explain FILE.",
                                 {{"argument", "correspondences"}});
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SearchRequest> BuildRequest(const Args& args, int64_t max_image_bytes) {
  v1::SearchRequest request;
  SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_collection(), CollectionOf(args));
  client::Query query =
      args.Has("id") ? client::Query::Id(args.Text("id")) : client::Query::ImageFile(args.operands()[0]);
  for (const std::string& text : args.Texts("crop")) {
    SIGHTLINE_ASSIGN_OR_RETURN(const CropArgument crop, ParseCrop("crop", text, args.Text("crop_unit")));
    query.Crop(crop.x0, crop.y0, crop.x1, crop.y1, crop.unit);
  }
  SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_query(), query.Build(max_image_bytes));
  request.set_top_k(args.Int32("top_k", 10));
  request.set_offset(args.Int32("offset", 0));
  request.set_filter(args.Text("filter"));
  if (args.Has("min_score")) request.set_min_score(args.Number("min_score", 0));
  if (args.Has("min_confidence")) request.set_min_confidence(args.Number("min_confidence", 0));
  request.set_group_by(args.Text("group_by"));
  request.set_group_size(args.Int32("group_size", 0));
  if (args.Has("ef_search")) request.set_ef_search(args.Int32("ef_search", 0));
  if (args.Has("nprobe")) request.set_nprobe(args.Int32("nprobe", 0));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<v1::QueryExpansion> expansion, ExpansionOf(args));
  if (expansion) *request.mutable_expansion() = *expansion;
  SIGHTLINE_RETURN_IF_ERROR(SetRerank(args, &request));
  request.set_exact(args.Switch("exact"));
  request.set_return_attributes(args.Switch("return_attributes"));
  request.set_request_id(args.Text("request_id"));
  return request;
}

int RunSearch(Context& context, const Args& args) {
  if (args.operands().size() + (args.Has("id") ? 1 : 0) != 1) {
    return Misused(context, "search", "search takes one image file, or --id with the id of an indexed image.");
  }
  if (args.Has("id") && args.Has("crop")) {
    return Misused(context, "search",
                   "--crop goes with an image file; an indexed image is searched as it was indexed.");
  }
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  // The server's own limit, so that a file it would refuse is not even read. A server that cannot be asked says so
  // here.
  int64_t max_image_bytes = (*client)->options().max_image_bytes;
  if (!args.Has("id")) {
    const auto info = (*client)->GetServerInfo();
    if (!info.ok()) return Fail(context, args, info.status());
    if (info->limits().max_image_bytes() > 0) max_image_bytes = info->limits().max_image_bytes();
  }
  const auto request = BuildRequest(args, max_image_bytes);
  if (!request.ok()) return Fail(context, args, request.status());
  const auto response = (*client)->Search(*request);
  if (!response.ok()) return Fail(context, args, response.status());
  if (args.Has("explain")) {
    const std::string name = args.Has("id") ? args.Text("id") : args.operands()[0];
    const absl::Status written =
        WriteSearchPage(context, args, **client, name, *request, *response, args.Text("explain"));
    if (!written.ok()) return Fail(context, args, written);
  }
  if (args.Text("explain") == "-") {
    WriteWarnings(context, response->stats());
  } else if (args.Switch("json")) {
    context.out.Write(absl::StrCat(JsonMessage(*response), "\n"));
  } else {
    WriteWarnings(context, response->stats());
    if (response->results().empty()) {
      context.out.Write("nothing found\n");
    } else {
      WriteTable(context, *response, args.Switch("return_attributes"));
    }
    context.out.Write(Footer(response->stats(), args.Has("filter")));
  }
  if (response->stats().degraded()) return kDegraded;
  return response->results().empty() ? kNothingFound : kOk;
}

}  // namespace

Command SearchCommand() {
  Command command{
      .name = "search",
      .summary = "find the images that show what an image shows",
      .operands = "IMAGE | --id ID",
      .about =
          "Prints a table of rank, id and score (the cosine, -1 to 1), best first, then where the time went.\n"
          "Exit codes: 0 results, 2 nothing found, 3 a degraded answer (the reasons are on standard error).\n\n"
          "  sightline search shoe.jpg --collection shop\n"
          "  sightline search room.jpg --collection shop --crop 120,80,400,360 -k 5   only the lamp in it\n"
          "  sightline search --id shoes/17.jpg --collection shop --min_score 0.6     more like an indexed one\n"
          "  sightline search shoe.jpg --collection shop --filter 'price < 100' --group_by brand\n"
          "  sightline search shoe.jpg --collection shop --expand super-global\n"
          "  sightline search shoe.jpg --collection shop --rerank ot --mass 0.6 --explain why.html\n"
          "  sightline search shoe.jpg --collection shop --json | jq '.results[0].id'\n",
      .flags =
          {CollectionFlag(),
           {.name = "id", .value = "ID", .help = "search with an indexed image instead of a file"},
           {.name = "top_k",
            .short_name = 'k',
            .kind = FlagKind::kInt,
            .value = "N",
            .help = "results to return; 10 when not given"},
           {.name = "offset", .kind = FlagKind::kInt, .value = "N", .help = "skip the best N"},
           {.name = "crop", .value = "X0,Y0,X1,Y1", .help = "look only at this box", .repeated = true},
           {.name = "crop_unit",
            .value = "UNIT",
            .help = "fraction or pixel; else fraction when no number of the box is above 1",
            .choices = {"fraction", "pixel"}},
           {.name = "min_score", .kind = FlagKind::kNumber, .value = "X", .help = "only results that score at least X"},
           {.name = "min_confidence",
            .kind = FlagKind::kNumber,
            .value = "X",
            .help = "only results at least so surely the same, 0 to 1; the collection needs a fitted confidence"},
           {.name = "filter",
            .value = "FILTER",
            .help = "only images whose attributes satisfy it: 'brand = \"acme\" AND price < 100'"},
           {.name = "group_by", .value = "KEY", .help = "at most --group_size results of one value of this attribute"},
           {.name = "group_size", .kind = FlagKind::kInt, .value = "N", .help = "with --group_by; 1 when not given"},
           {.name = "ef_search", .kind = FlagKind::kInt, .value = "N", .help = "search width of a graph"},
           {.name = "nprobe", .kind = FlagKind::kInt, .value = "N", .help = "lists that an inverted index looks into"},
           {.name = "exact", .kind = FlagKind::kSwitch, .help = "compare every descriptor, whatever index there is"},
           {.name = "return_attributes", .kind = FlagKind::kSwitch, .help = "show each result's attributes"},
           {.name = "explain",
            .value = "FILE",
            .help = "write a page with the query beside each result and the patches that match; - is standard output"},
           {.name = "correspondences",
            .kind = FlagKind::kInt,
            .value = "N",
            .help = "with --explain, pairs of patches, at most 200; 40 when not given"},
           {.name = "request_id", .value = "ID", .help = "a name for this search, for the server's log"}},
      .run = RunSearch};
  for (FlagSpec& flag : ExpandFlags()) command.flags.push_back(std::move(flag));
  for (FlagSpec& flag : RerankFlags()) command.flags.push_back(std::move(flag));
  return command;
}

}  // namespace sightline::cli
