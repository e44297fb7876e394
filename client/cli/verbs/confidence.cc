#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "client/cli/evidence_text.h"
#include "client/cli/follow.h"
#include "client/cli/json.h"
#include "client/cli/pairs_file.h"
#include "client/cli/rerank_flags.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

// 100,000 pairs, which are the most, of ids of a length that people use.
constexpr int64_t kMostPairsFileBytes = int64_t{32} << 20;

int ShowConfidence(Context& context, const Args& args, client::Client& client, const std::string& name) {
  const auto collection = client.GetCollection(name);
  if (!collection.ok()) return Fail(context, args, collection.status());
  if (!collection->has_confidence()) {
    context.err.Write(absl::StrCat("sightline: the collection ", Printable(collection->name()),
                                   " has no confidence. Fit one with \"sightline confidence fit\".\n"));
    return kNothingFound;
  }
  context.out.Write(args.Switch("json") ? absl::StrCat(JsonMessage(collection->confidence()), "\n")
                                        : ConfidenceModelText(collection->confidence()));
  return kOk;
}

absl::StatusOr<v1::FitConfidenceRequest> BuildFitRequest(const Args& args, const std::string& collection) {
  v1::FitConfidenceRequest request;
  request.set_collection(collection);
  request.set_label_attribute(args.Text("label"));
  bool compares = args.Has("rerank");
  for (const FlagSpec& flag : TransportFlags()) compares = compares || args.Has(flag.name);
  if (compares) {
    SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_rerank(), RerankOf(args));
  }
  if (args.Has("pairs")) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(args.Text("pairs"), kMostPairsFileBytes));
    SIGHTLINE_ASSIGN_OR_RETURN(const auto pairs, ParsePairs(args.Text("pairs"), text));
    request.mutable_pairs()->Add(pairs.begin(), pairs.end());
  }
  return request;
}

int FitTheConfidence(Context& context, const Args& args, client::Client& client, const std::string& collection) {
  const auto request = BuildFitRequest(args, collection);
  if (!request.ok()) return Fail(context, args, request.status());
  const auto started = client.FitConfidence(*request);
  if (!started.ok()) return Fail(context, args, started.status());
  const auto ended = FollowUnlessDetached(context, args, client, *started);
  if (!ended.ok()) return Fail(context, args, ended.status());
  if (!ended->has_value()) return kOk;
  const int code = ReportEnded(context, args, **ended);
  v1::ConfidenceModel model;
  if (code == kOk && !args.Switch("json") && (*ended)->result().UnpackTo(&model)) {
    context.out.Write(ConfidenceModelText(model));
  }
  return code;
}

int RunConfidence(Context& context, const Args& args) {
  const auto& words = args.operands();
  if (words.size() != 1 || (words[0] != "fit" && words[0] != "show")) {
    return Misused(context, "confidence", "confidence takes one action: fit or show.");
  }
  const bool fit = words[0] == "fit";
  if (fit && args.Has("label") == args.Has("pairs")) {
    return Misused(context, "confidence", "confidence fit takes one of --label and --pairs.");
  }
  if (!fit && (args.Has("label") || args.Has("pairs"))) {
    return Misused(context, "confidence", "confidence show takes neither --label nor --pairs.");
  }
  const auto collection = CollectionOf(args);
  if (!collection.ok()) return Fail(context, args, collection.status());
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  return fit ? FitTheConfidence(context, args, **client, *collection)
             : ShowConfidence(context, args, **client, *collection);
}

}  // namespace

Command ConfidenceCommand() {
  Command command{
      .name = "confidence",
      .summary = "fit and show how sure a match is",
      .operands = "fit | show",
      .about =
          "The confidence of a match is the probability that two images show the same object. It is fitted to a\n"
          "collection, on pairs of its images of which that is known: the pairs of a CSV file, or images whose\n"
          "attribute --label has equal or unequal values. At least 20 pairs of each kind are needed. Searches, "
          "explain\n"
          "and duplicates then tell it. show prints the formula and how good it is on pairs left out of the fit; exit\n"
          "code 2 when there is none.\n\n"
          "  sightline confidence fit --collection shop --label sku\n"
          "  sightline confidence fit --collection shop --pairs pairs.csv      first_id,second_id,same\n"
          "  sightline confidence show --collection shop\n",
      .flags = {CollectionFlag(),
                {.name = "label", .value = "KEY", .help = "fit: an attribute whose value names the object"},
                {.name = "pairs",
                 .value = "FILE",
                 .help = "fit: a CSV file with the header first_id,second_id,same; same is true or false"},
                {.name = "detach",
                 .kind = FlagKind::kSwitch,
                 .help = "fit: print the operation's name and do not wait"},
                {.name = "rerank",
                 .value = "METHOD",
                 .help = "fit: ot: with the structural score; off: by the cosine alone; else as the model has it"}},
      .run = RunConfidence};
  for (FlagSpec& flag : TransportFlags()) command.flags.push_back(std::move(flag));
  return command;
}

}  // namespace sightline::cli
