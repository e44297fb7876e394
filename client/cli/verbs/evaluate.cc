#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status.h"
#include "client/cli/evaluate/collection.h"
#include "client/cli/evaluate/failures.h"
#include "client/cli/evaluate/files.h"
#include "client/cli/evaluate/protocols.h"
#include "client/cli/evaluate/rankings_file.h"
#include "client/cli/evaluate/report.h"
#include "client/cli/evaluate/search_run.h"
#include "client/cli/expand_flags.h"
#include "client/cli/html.h"
#include "client/cli/json.h"
#include "client/cli/page_pictures.h"
#include "client/cli/rerank_flags.h"
#include "client/cli/search_page.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

constexpr int64_t kMostRankingsBytes = int64_t{4} << 30;
constexpr int64_t kMostPictureFileBytes = int64_t{64} << 20;  // a page takes less of each, and says so
constexpr int64_t kDefaultShortlist = 100;                    // the API's

absl::Status Usage(absl::string_view flag, absl::string_view problem) {
  return base::InvalidArgument("USAGE", problem, {{"argument", std::string(flag)}});
}

absl::StatusOr<Benchmark> ReadBenchmark(const Args& args) {
  const std::string& path = args.operands().back();
  const std::string name = args.operands().size() == 2 ? args.operands()[0] : ProtocolOf(path);
  std::vector<std::string> names;
  for (const Protocol& protocol : Protocols()) {
    if (protocol.name == name) return protocol.read(path, {.label = args.Text("label", "label")});
    names.push_back(protocol.name);
  }
  if (name.empty()) {
    return Usage("protocol", absl::StrCat("what ", Printable(path), " is cannot be told from its name. Put one of ",
                                          absl::StrJoin(names, ", "), " before it."));
  }
  const std::string near = Closest(name, names);
  return Usage("protocol", absl::StrCat("there is no protocol \"", Printable(name), "\". ",
                                        near.empty() ? absl::StrCat("It is one of ", absl::StrJoin(names, ", "), ".")
                                                     : absl::StrCat("Did you mean ", near, "?")));
}

// The ways of searching that were asked for, without the collection.
absl::StatusOr<std::vector<SearchPlan>> Plans(const Args& args, const Benchmark& benchmark) {
  SIGHTLINE_ASSIGN_OR_RETURN(const v1::RerankOptions rerank, RerankOf(args));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<v1::QueryExpansion> expansion, ExpansionOf(args));
  v1::SearchRequest base;
  base.set_exact(args.Switch("exact"));
  if (args.Has("ef_search")) base.set_ef_search(args.Int32("ef_search", 0));
  if (args.Has("nprobe")) base.set_nprobe(args.Int32("nprobe", 0));
  const bool reranks = rerank.method() == v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT;
  bool says_rerank = false;
  for (const FlagSpec& flag : RerankFlags()) says_rerank = says_rerank || args.Has(flag.name);
  const int64_t shortlist = rerank.shortlist() > 0 ? rerank.shortlist() : kDefaultShortlist;
  if (shortlist > 1000) {
    return Usage("shortlist", absl::StrCat("--shortlist is ", shortlist, "; the limit is 1000. Give less."));
  }
  int64_t depth = benchmark.depth;
  if (args.Has("depth")) {
    depth = args.Int("depth", 0);
    if (depth < 1 || depth > kMostResults) {
      return Usage("depth", absl::StrCat("--depth is ", depth, "; it must be 1 to ", kMostResults, ". Correct it."));
    }
  }
  const auto plan = [&](const std::string& name, bool reranked, bool expanded) {
    SearchPlan made{.name = name, .request = base, .depth = depth};
    made.request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OFF);
    if (reranked) {
      *made.request.mutable_rerank() = rerank;
      made.request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
    }
    if (expanded && expansion) *made.request.mutable_expansion() = *expansion;
    if (expanded && !expansion) made.request.mutable_expansion()->set_method(v1::QueryExpansion::METHOD_AVERAGE);
    // After a refinement the order before the transport is not known: ignored images leave afterwards.
    if (reranked && !expanded) made.shortlist = shortlist;
    return made;
  };
  if (args.Switch("compare")) {
    return std::vector<SearchPlan>{plan("plain", false, false), plan("re-ranked", true, false),
                                   plan("expanded", false, true), plan("expanded, re-ranked", true, true)};
  }
  const bool expands = expansion.has_value();
  SearchPlan only = plan(reranks && expands ? "expanded, re-ranked"
                         : reranks          ? "re-ranked"
                         : expands          ? "expanded"
                                            : "search",
                         reranks, expands);
  if (!says_rerank) {
    only.request.clear_rerank();  // as the model has it
  } else if (!reranks) {
    *only.request.mutable_rerank() = rerank;
  }
  return std::vector<SearchPlan>{std::move(only)};
}

EvalReport StartReport(const Context& context, const Args& args, const Benchmark& benchmark) {
  EvalReport report{.title = benchmark.title, .ground_truth = args.operands().back(), .measures = benchmark.measures};
  for (const BenchSplit& split : benchmark.splits) report.split_names.push_back(split.name);
  std::vector<std::string> words = {"sightline", "evaluate"};
  words.insert(words.end(), args.words().begin(), args.words().end());
  report.command = ShellWords(words);
  report.made = absl::StrCat("Made on ", absl::FormatTime("%Y-%m-%d %H:%M", context.clock.Now(), absl::UTCTimeZone()),
                             " UTC by sightline ", SIGHTLINE_VERSION, ":");
  return report;
}

// What the main split's means leave out.
void NoteLeftOut(const Benchmark& benchmark, EvalReport* report) {
  for (size_t s = 0; s < benchmark.splits.size(); ++s) {
    const SplitScore& score = report->runs[0].splits[s];
    if (score.excluded == 0) continue;
    const std::string queries =
        score.excluded == 1 ? "1 query has" : absl::StrCat(FormatCount(score.excluded), " queries have");
    report->notes.push_back(absl::StrCat(benchmark.splits[s].name, ": ", queries, " no right image and ",
                                         score.excluded == 1 ? "does" : "do", " not count."));
  }
}

int WriteReport(Context& context, const Args& args, const EvalReport& report,
                const std::function<std::vector<EvalFailure>()>& failures) {
  if (args.Has("html")) {
    const absl::Status written = WriteOutput(context, args.Text("html"), EvalPage(report, failures()));
    if (!written.ok()) return Fail(context, args, written);
  }
  if (args.Text("html") == "-") return kOk;
  if (args.Switch("json")) {
    context.out.Write(absl::StrCat(EvalJson(report), "\n"));
    return kOk;
  }
  context.out.Write(EvalTable(report));
  for (const std::string& note : report.notes) context.err.Write(absl::StrCat("note: ", Printable(note), "\n"));
  return kOk;
}

PagePicture ReadPicture(PagePictures& pictures, const std::string& name, const std::string& path,
                        int64_t max_image_bytes) {
  const auto bytes = base::ReadFile(path, max_image_bytes);
  if (bytes.ok()) return pictures.OfFile(name, *bytes);
  return {.name = name, .missing = std::string(bytes.status().message())};
}

// The pictures of a file of rankings are those of --images, where that is given: nothing was indexed.
std::vector<EvalFailure> FailuresOfFile(const Args& args, const Benchmark& benchmark,
                                        const std::vector<QueryOutcome>& outcomes, const BenchFiles& files) {
  const auto most = static_cast<size_t>(args.Int("worst", 20));
  if (!args.Has("images")) return WorstQueries(benchmark, outcomes, {}, {}, most);
  const auto name_of = [&](const std::string& id) { return benchmark.by_stem ? std::string(Stem(id)) : id; };
  std::map<std::string, std::string> paths;
  for (const ImageFile& file : files.database) paths.emplace(name_of(file.id), file.path);
  PagePictures pictures;
  const FailurePictures sources{
      .of_file = [&](const std::string& name,
                     const std::string& path) { return ReadPicture(pictures, name, path, kMostPictureFileBytes); },
      .of_result =
          [&](const std::string& id) {
            const auto found = paths.find(name_of(id));
            if (found == paths.end()) return PagePicture{.name = id, .missing = "it is not below --images."};
            return ReadPicture(pictures, id, found->second, kMostPictureFileBytes);
          }};
  return WorstQueries(benchmark, outcomes, files.queries, sources, most);
}

int EvaluateFile(Context& context, const Args& args, const Benchmark& benchmark) {
  BenchFiles files;
  if (args.Has("images")) {
    auto found = FindBenchFiles(benchmark, {.images = args.Text("images"),
                                            .queries = args.Text("queries"),
                                            .distractors = args.Text("distractors"),
                                            .allow_missing = true});
    if (!found.ok()) return Fail(context, args, found.status());
    files = *std::move(found);
  }
  const auto text = base::ReadFile(args.Text("rankings"), kMostRankingsBytes);
  if (!text.ok()) return Fail(context, args, text.status());
  const auto file = ParseRankings(args.Text("rankings"), *text, benchmark);
  if (!file.ok()) return Fail(context, args, file.status());
  std::vector<QueryOutcome> outcomes;
  for (size_t q = 0; q < benchmark.queries.size(); ++q) {
    outcomes.push_back(ScoreQuery(benchmark, benchmark.queries[q], file->rankings[q]));
  }
  EvalReport report = StartReport(context, args, benchmark);
  report.source = args.Text("rankings");
  report.images = static_cast<int64_t>(benchmark.images.size());
  report.runs.push_back({.name = "rankings", .splits = Mean(benchmark, outcomes)});
  NoteLeftOut(benchmark, &report);
  if (file->missing > 0) {
    report.notes.push_back(absl::StrCat("the file has no ranking for ", file->missing, " of ",
                                        Plural(static_cast<int64_t>(benchmark.queries.size()), "query"),
                                        "; they count with nothing found."));
  }
  if (file->unknown_images > 0 && !benchmark.open) {
    report.notes.push_back(absl::StrCat(FormatCount(file->unknown_images),
                                        " entries name images that the benchmark does not; they count as wrong."));
  }
  return WriteReport(context, args, report, [&] { return FailuresOfFile(args, benchmark, outcomes, files); });
}

std::string ScalesText(const v1::Model& model) {
  std::vector<std::string> scales;
  for (const float scale : model.scales()) scales.push_back(absl::StrFormat("%.4g", scale));
  return absl::StrJoin(scales, ", ");
}

// A server and a benchmark's files: what EvaluateServer does in steps.
class ServerEvaluation {
 public:
  ServerEvaluation(Context& context, const Args& args, const Benchmark& benchmark)
      : context_(context), args_(args), benchmark_(benchmark), report_(StartReport(context, args, benchmark)) {}

  int Run() {
    const absl::Status status = Prepare();
    if (!status.ok()) return Fail(context_, args_, status);
    if (collection_->code() == kInterrupted) return kInterrupted;
    for (const SearchPlan& plan : plans_) {
      const absl::Status searched = Search(plan);
      if (searched.ok()) continue;
      if (base::GetErrorInfo(searched).reason == "INTERRUPTED") return kInterrupted;
      // One way of several may be closed, as re-ranking is to a model without patch tokens.
      if (plans_.size() == 1 || searched.code() != absl::StatusCode::kFailedPrecondition) {
        return Fail(context_, args_, searched);
      }
      report_.notes.push_back(absl::StrCat("\"", plan.name, "\" was left out: ", searched.message()));
    }
    if (args_.Has("save_rankings")) {
      const absl::Status saved =
          WriteOutput(context_, args_.Text("save_rankings"), absl::StrCat(kRankingsHeader, absl::StrJoin(lines_, "")));
      if (!saved.ok()) return Fail(context_, args_, saved);
    }
    Describe();
    PagePictures pictures(*client_, collection_->collection().name());
    const int code = WriteReport(context_, args_, report_, [&] { return Failures(pictures); });
    return code == kOk ? collection_->code() : code;
  }

 private:
  absl::Status Prepare() {
    SIGHTLINE_ASSIGN_OR_RETURN(plans_, Plans(args_, benchmark_));
    SIGHTLINE_ASSIGN_OR_RETURN(files_, FindBenchFiles(benchmark_, {.images = args_.Text("images"),
                                                                   .queries = args_.Text("queries"),
                                                                   .distractors = args_.Text("distractors"),
                                                                   .allow_missing = args_.Switch("allow_missing")}));
    SIGHTLINE_ASSIGN_OR_RETURN(client_, Connect(context_, args_));
    SIGHTLINE_ASSIGN_OR_RETURN(const v1::GetServerInfoResponse info, client_->GetServerInfo());
    max_image_bytes_ = client_->options().max_image_bytes;
    if (info.limits().max_image_bytes() > 0) max_image_bytes_ = info.limits().max_image_bytes();
    SIGHTLINE_ASSIGN_OR_RETURN(collection_,
                               EvalCollection::Fill(context_, *client_, files_,
                                                    {.name = args_.Text("collection"),
                                                     .model = args_.Text("model"),
                                                     .keep = args_.Switch("keep"),
                                                     .in_flight = static_cast<int>(args_.Int("in_flight", 16)),
                                                     .max_image_bytes = max_image_bytes_}));
    // A collection of descriptors has no model.
    const auto model = client_->GetModel(collection_->collection().model());
    model_reranks_ = model.ok() && model->rerank().method() == v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT;
    return absl::OkStatus();
  }

  bool IgnoresImages() const {
    unsigned ignored = 0;
    for (const BenchSplit& split : benchmark_.splits) ignored |= split.ignored;
    return std::any_of(benchmark_.queries.begin(), benchmark_.queries.end(), [&](const BenchQuery& query) {
      return std::any_of(query.judged.begin(), query.judged.end(),
                         [&](const Judged& judged) { return Holds(ignored, judged.grade); });
    });
  }

  absl::Status Search(const SearchPlan& plan) {
    SearchPlan asked = plan;
    asked.request.set_collection(collection_->collection().name());
    // A model may re-rank by itself.
    if (!asked.request.has_rerank() && !asked.request.has_expansion() && model_reranks_) {
      asked.shortlist = kDefaultShortlist;
    }
    SIGHTLINE_ASSIGN_OR_RETURN(
        SearchRunResult result,
        RunSearches(context_, *client_, benchmark_, files_.queries, asked,
                    {.in_flight = static_cast<int>(std::min<int64_t>(args_.Int("in_flight", 16), 16)),
                     .max_image_bytes = max_image_bytes_,
                     .images = collection_->collection().stats().images(),
                     .keep_lines = args_.Has("save_rankings")}));
    const std::vector<SplitScore> splits = Mean(benchmark_, result.outcomes);
    report_.runs.push_back({.name = plan.name,
                            .settings = JsonMessage(asked.request),
                            .splits = splits,
                            .milliseconds = std::move(result.milliseconds)});
    if (result.stats.has_model()) report_.model = result.stats.model();
    report_.index = result.stats.index();
    const auto note = [&](const std::string& text) { report_.notes.push_back(absl::StrCat(plan.name, ": ", text)); };
    if (result.degraded > 0) {
      note(absl::StrCat(FormatCount(result.degraded), " answers were degraded: ", result.degraded_reason));
    }
    if (result.clipped > 0) {
      note(absl::StrCat("for ", FormatCount(result.clipped),
                        " queries the shortlist and the ignored images are more than the server's 1,000; a shorter "
                        "list was re-ranked."));
    }
    if (result.unknown > 0) note("the collection holds images that the benchmark does not name; they count as wrong.");
    const bool reranked = asked.request.rerank().method() == v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT ||
                          (!asked.request.has_rerank() && model_reranks_);
    if (reranked && asked.shortlist == 0 && IgnoresImages()) {
      note("ignored images were taken out after the re-ranking, and used up part of its shortlist.");
    }
    if (outcomes_.empty()) {
      outcomes_ = std::move(result.outcomes);
      lines_ = std::move(result.lines);
    }
    return absl::OkStatus();
  }

  void Describe() {
    report_.source = absl::StrCat("collection ", collection_->collection().name(),
                                  collection_->kept() ? "" : ", made for this and deleted");
    report_.images = collection_->collection().stats().images();
    report_.distractors = files_.distractors;
    const auto model = client_->GetModel(report_.model.model());
    if (model.ok()) report_.scales = ScalesText(*model);
    if (report_.model.untrained()) report_.notes.push_back(UntrainedWarning(report_.model));
    if (report_.images > kMostResults && benchmark_.depth == 0) {
      report_.notes.push_back(absl::StrCat("the server gives the best ", FormatCount(kMostResults), " of ",
                                           FormatCount(report_.images),
                                           " images; right ones below count as not found."));
    }
    if (files_.missing > 0) {
      report_.notes.push_back(absl::StrCat(FormatCount(files_.missing),
                                           " images of the benchmark are not in the folder; they count as not found."));
    }
    if (!report_.runs.empty()) NoteLeftOut(benchmark_, &report_);
  }

  std::vector<EvalFailure> Failures(PagePictures& pictures) {
    const FailurePictures sources{
        .of_file = [&](const std::string& name,
                       const std::string& path) { return ReadPicture(pictures, name, path, max_image_bytes_); },
        .of_result =
            [&](const std::string& id) {
              return pictures.OfId(id, {v1::IMAGE_VIEW_PREVIEW, v1::IMAGE_VIEW_ORIGINAL});
            }};
    return WorstQueries(benchmark_, outcomes_, files_.queries, sources, static_cast<size_t>(args_.Int("worst", 20)));
  }

  Context& context_;
  const Args& args_;
  const Benchmark& benchmark_;
  EvalReport report_;
  std::vector<SearchPlan> plans_;
  BenchFiles files_;
  std::unique_ptr<client::Client> client_;
  int64_t max_image_bytes_ = 0;
  bool model_reranks_ = false;
  std::unique_ptr<EvalCollection> collection_;  // goes before the client
  std::vector<QueryOutcome> outcomes_;          // of the first run
  std::vector<std::string> lines_;
};

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
  const auto benchmark = ReadBenchmark(args);
  if (!benchmark.ok()) return Fail(context, args, benchmark.status());
  if (args.Has("rankings")) return EvaluateFile(context, args, *benchmark);
  return ServerEvaluation(context, args, *benchmark).Run();
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
