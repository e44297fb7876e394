#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/evidence_text.h"
#include "client/cli/follow.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

// "confidence at least 0.97", or the least scores where the collection has no confidence.
std::string LeastOf(const v1::FindDuplicatesResult::Group& group) {
  bool confident = false;
  std::optional<double> score;
  std::optional<double> structural;
  const auto lower = [](std::optional<double>& least, double value) { least = std::min(least.value_or(value), value); };
  for (const auto& pair : group.pairs()) {
    confident = confident || pair.has_confidence();
    lower(score, pair.score());
    if (pair.has_structural_score()) lower(structural, pair.structural_score());
  }
  if (confident) return absl::StrCat(", confidence at least ", ConfidenceNumber(group.min_confidence()));
  std::string out;
  if (score) absl::StrAppendFormat(&out, ", score at least %.4f", *score);
  if (structural) absl::StrAppendFormat(&out, ", structural score at least %.4f", *structural);
  return out;
}

std::string GroupsText(const v1::FindDuplicatesResult& result) {
  std::string out;
  for (int i = 0; i < result.groups_size(); ++i) {
    const auto& group = result.groups(i);
    absl::StrAppend(&out, "group ", i + 1, ": ", Plural(group.ids_size(), "image"), LeastOf(group), "\n");
    for (const std::string& id : group.ids()) absl::StrAppend(&out, "  ", Printable(id), "\n");
  }
  const int64_t hidden = result.total_groups() - result.groups_size();
  if (hidden > 0) absl::StrAppend(&out, "and ", Plural(hidden, "group"), " more, which are not listed\n");
  return absl::StrCat(out, result.groups().empty() ? "no duplicates" : Plural(result.total_groups(), "group"),
                      " among ", Plural(result.images(), "image"), "; ", Plural(result.verified_pairs(), "pair"),
                      " compared by their patches\n");
}

int RunDuplicates(Context& context, const Args& args) {
  if (!args.operands().empty()) {
    return Misused(context, "duplicates", "duplicates takes no operands; --collection names where to look.");
  }
  const auto collection = CollectionOf(args);
  if (!collection.ok()) return Fail(context, args, collection.status());
  v1::FindDuplicatesRequest request;
  request.set_collection(*collection);
  request.set_filter(args.Text("filter"));
  request.set_neighbours(args.Int32("neighbours", 0));
  if (args.Has("min_confidence")) request.set_min_confidence(args.Number("min_confidence", 0));
  if (args.Has("min_score")) request.set_min_score(args.Number("min_score", 0));
  if (args.Has("min_structural_score")) request.set_min_structural_score(args.Number("min_structural_score", 0));
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  const auto started = (*client)->FindDuplicates(request);
  if (!started.ok()) return Fail(context, args, started.status());
  const auto ended = FollowUnlessDetached(context, args, **client, *started);
  if (!ended.ok()) return Fail(context, args, ended.status());
  if (!ended->has_value()) return kOk;
  const int code = ReportEnded(context, args, **ended);
  v1::FindDuplicatesResult result;
  if (code != kOk || !(*ended)->result().UnpackTo(&result)) return code;
  if (!args.Switch("json")) context.out.Write(GroupsText(result));
  return result.groups().empty() ? kNothingFound : kOk;
}

}  // namespace

Command DuplicatesCommand() {
  return {
      .name = "duplicates",
      .summary = "find the images of a collection that show the same thing",
      .operands = "",
      .about =
          "Compares each image with its nearest ones, by descriptor and then patch by patch, and prints the groups "
          "that\n"
          "hang together. Where the collection has a confidence (\"sightline confidence\"), pairs of at least\n"
          "--min_confidence count; else pairs of at least --min_score and --min_structural_score. Follows the work "
          "until\n"
          "it ends; the work itself belongs to the server and goes on without this program.\n"
          "Exit codes: 0 groups, 1 failed or cancelled, 2 no duplicates.\n\n"
          "  sightline duplicates --collection shop\n"
          "  sightline duplicates --collection shop --min_confidence 0.99 --filter 'season = \"2024\"'\n"
          "  sightline duplicates --collection shop --json | jq '.result.value.groups[].ids'\n",
      .flags = {CollectionFlag(),
                {.name = "min_confidence",
                 .kind = FlagKind::kNumber,
                 .value = "X",
                 .help = "only pairs at least so surely the same, 0 to 1; 0.9 when not given"},
                {.name = "min_score",
                 .kind = FlagKind::kNumber,
                 .value = "X",
                 .help = "without a fitted confidence: the least cosine; 0.9 when not given"},
                {.name = "min_structural_score",
                 .kind = FlagKind::kNumber,
                 .value = "X",
                 .help = "without a fitted confidence: the least structural score; 0.8 when not given"},
                {.name = "filter", .value = "FILTER", .help = "only images whose attributes satisfy it"},
                {.name = "neighbours",
                 .kind = FlagKind::kInt,
                 .value = "N",
                 .help = "nearest images that each is compared with, 1 to 100; 10 when not given"},
                {.name = "detach", .kind = FlagKind::kSwitch, .help = "print the operation's name and do not wait"}},
      .run = RunDuplicates};
}

}  // namespace sightline::cli
