#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "client/cli/evaluate/protocols.h"
#include "client/cli/evaluate/rankings_evaluation.h"
#include "client/cli/evaluate/server_evaluation.h"
#include "client/cli/expand_flags.h"
#include "client/cli/rerank_flags.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

absl::Status ProtocolUsage(absl::string_view problem) {
  return base::InvalidArgument("USAGE", problem, {{"argument", "protocol"}});
}

absl::StatusOr<Benchmark> ReadGroundTruthOf(const Args& args) {
  const std::string& path = args.operands().back();
  const std::string name = args.operands().size() == 2 ? args.operands()[0] : ProtocolOf(path);
  std::vector<std::string> names;
  for (const Protocol& protocol : Protocols()) {
    if (protocol.name == name) return ReadBenchmark(protocol, path, {.label = args.Text("label", "label")});
    names.push_back(protocol.name);
  }
  if (name.empty()) {
    return ProtocolUsage(absl::StrCat("what ", Printable(path), " is cannot be told from its name. Put one of ",
                                      absl::StrJoin(names, ", "), " before it."));
  }
  const std::string near = Closest(name, names);
  return ProtocolUsage(absl::StrCat("there is no protocol \"", Printable(name), "\". ",
                                    near.empty() ? absl::StrCat("It is one of ", absl::StrJoin(names, ", "), ".")
                                                 : absl::StrCat("Did you mean ", near, "?")));
}

int RunEvaluate(Context& context, const Args& args) {
  if (args.operands().empty() || args.operands().size() > 2) {
    return Misused(context, "evaluate", "evaluate takes the ground truth of a benchmark, and the protocol before it.");
  }
  if (!args.Has("rankings") && !args.Has("images")) {
    return Misused(context, "evaluate",
                   "evaluate measures a server with --images DIR, or a file with --rankings FILE; give one of them.");
  }
  const int64_t in_flight = args.Int("in_flight", 16);
  if (in_flight < 1 || in_flight > 1024) {
    return Misused(context, "evaluate", absl::StrCat("--in_flight is ", in_flight, "; it must be 1 to 1024."));
  }
  if (args.Int("worst", 20) < 0 || args.Int("worst", 20) > 1000) {
    return Misused(context, "evaluate", absl::StrCat("--worst is ", args.Int("worst", 20), "; it must be 0 to 1000."));
  }
  if (args.Has("save_rankings") && (args.Switch("compare") || args.Has("rankings"))) {
    return Misused(context, "evaluate", "--save_rankings keeps the rankings of one way of searching a server.");
  }
  const auto benchmark = ReadGroundTruthOf(args);
  if (!benchmark.ok()) return Fail(context, args, benchmark.status());
  if (args.Has("rankings")) return EvaluateRankings(context, args, *benchmark);
  return EvaluateServer(context, args, *benchmark);
}

}  // namespace

Command EvaluateCommand() {
  Command command{
      .name = "evaluate",
      .summary = "measure how well the server finds, by a benchmark",
      .operands = "[PROTOCOL] GROUND_TRUTH",
      .about =
          "Indexes a benchmark's pictures into a collection, searches for its queries and prints the measures of its\n"
          "protocol: revisited, oxford, paris, gldv2, msls, metric_learning, ukbench, holidays or csv; shares are in\n"
          "percent. docs/evaluation.md says which files each needs. With --rankings a file of rankings is measured\n"
          "instead, without a server: query,rank,image in a table, or JSON lines; --images then gives --html its\n"
          "pictures.\n\n"
          "  sightline evaluate gnd_roxford5k.pkl --images oxford/jpg\n"
          "  sightline evaluate gnd_roxford5k.pkl --images oxford/jpg --compare --html roxford.html\n"
          "  sightline evaluate gnd_rparis6k.pkl --images paris/jpg --distractors revisitop1m --keep\n"
          "  sightline evaluate csv labels.csv --images ./products --label product_id\n"
          "  sightline evaluate metric_learning Ebay_test.txt --images Stanford_Online_Products --json\n"
          "  sightline evaluate gnd_roxford5k.pkl --rankings theirs.csv\n",
      .flags =
          {CollectionFlag(),
           {.name = "images", .value = "DIR", .help = "the folder of the benchmark's pictures"},
           {.name = "queries", .value = "DIR", .help = "the folder of the query pictures, where it is another"},
           {.name = "distractors", .value = "DIR", .help = "index these pictures too; they are always wrong"},
           {.name = "rankings", .value = "FILE", .help = "measure the rankings of a file instead of a server"},
           {.name = "label", .value = "COLUMN", .help = "csv: what an image shows; label when not given"},
           {.name = "model", .value = "MODEL", .help = "of a new collection; else the server's default model"},
           {.name = "keep", .kind = FlagKind::kSwitch, .help = "keep the collection made for this"},
           {.name = "allow_missing",
            .kind = FlagKind::kSwitch,
            .help = "count pictures that are not in the folder as not found, instead of refusing"},
           {.name = "compare",
            .kind = FlagKind::kSwitch,
            .help = "search plain, re-ranked, expanded and both, one table for all"},
           {.name = "depth",
            .kind = FlagKind::kInt,
            .value = "N",
            .help = "results asked for, 1 to 10000; else what the measures need"},
           {.name = "html", .value = "FILE", .help = "write a page with the queries that went wrong, worst first"},
           {.name = "worst", .kind = FlagKind::kInt, .value = "N", .help = "queries on the page; 20 when not given"},
           {.name = "save_rankings", .value = "FILE", .help = "write the rankings, as --rankings reads them"},
           {.name = "in_flight",
            .kind = FlagKind::kInt,
            .value = "N",
            .help = "images on their way at once; 16 when not given"},
           {.name = "exact", .kind = FlagKind::kSwitch, .help = "compare every descriptor, whatever index there is"},
           {.name = "ef_search", .kind = FlagKind::kInt, .value = "N", .help = "search width of a graph"},
           {.name = "nprobe", .kind = FlagKind::kInt, .value = "N", .help = "lists that an inverted index looks into"}},
      .run = RunEvaluate};
  for (FlagSpec& flag : ExpandFlags()) command.flags.push_back(std::move(flag));
  for (FlagSpec& flag : RerankFlags()) command.flags.push_back(std::move(flag));
  return command;
}

}  // namespace sightline::cli
