#include "client/cli/evaluate/server_evaluation.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "client/cli/evaluate/collection.h"
#include "client/cli/evaluate/failures.h"
#include "client/cli/evaluate/files.h"
#include "client/cli/evaluate/rankings_file.h"
#include "client/cli/evaluate/report_output.h"
#include "client/cli/evaluate/search_plans.h"
#include "client/cli/evaluate/search_run.h"
#include "client/cli/json.h"
#include "client/cli/search_page.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

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
    absl::Status closed;
    for (const SearchPlan& plan : plans_) {
      const absl::Status searched = Search(plan);
      if (searched.ok()) continue;
      if (base::GetErrorInfo(searched).reason == "INTERRUPTED") {
        Fail(context_, args_, searched);
        return kInterrupted;
      }
      // One way of several may be closed, as re-ranking is to a model without patch tokens.
      if (searched.code() != absl::StatusCode::kFailedPrecondition) return Fail(context_, args_, searched);
      closed.Update(searched);
      report_.notes.push_back(absl::StrCat("\"", plan.name, "\" was left out: ", searched.message()));
    }
    if (report_.runs.empty()) return Fail(context_, args_, closed);
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
    SIGHTLINE_ASSIGN_OR_RETURN(plans_, PlanSearches(args_, benchmark_));
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

  // A model may re-rank by itself.
  bool Reranks(v1::RerankOptions::Method method) const {
    return method == v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT ||
           (method == v1::RerankOptions::METHOD_UNSPECIFIED && model_reranks_);
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
    const bool reranked = Reranks(asked.request.rerank().method());
    if (!reranked) asked.shortlist = 0;
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
      note(absl::StrCat(Plural(result.degraded, "answer"), result.degraded == 1 ? " was" : " were",
                        " degraded: ", result.degraded_reason));
    }
    if (result.clipped > 0) {
      note(absl::StrCat("for ", FormatCount(result.clipped),
                        " queries the shortlist and the ignored images are more than the server's 1,000; a shorter "
                        "list was re-ranked."));
    }
    if (result.unknown > 0) note("the collection holds images that the benchmark does not name; they count as wrong.");
    if (reranked && asked.shortlist == 0 && IgnoresImages()) {
      note("ignored images were taken out after the re-ranking, and used up part of its shortlist.");
    }
    if (outcomes_.empty()) {
      report_.thresholds = ThresholdsOf(benchmark_, result.outcomes);
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
    if (collection_->code() == kPartial) {
      report_.notes.push_back(absl::StrCat(FormatCount(collection_->failed()),
                                           " of the pictures could not be indexed; they count as not found."));
    }
    NoteLeftOut(benchmark_, &report_);
  }

  std::vector<EvalFailure> Failures(PagePictures& pictures) {
    const FailurePictures sources{
        .of_file = [&](const std::string& name,
                       const std::string& path) { return ReadPagePicture(pictures, name, path, max_image_bytes_); },
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

}  // namespace

int EvaluateServer(Context& context, const Args& args, const Benchmark& benchmark) {
  return ServerEvaluation(context, args, benchmark).Run();
}

}  // namespace sightline::cli
