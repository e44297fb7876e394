#include "client/cli/evaluate/rankings_evaluation.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "client/cli/evaluate/failures.h"
#include "client/cli/evaluate/files.h"
#include "client/cli/evaluate/rankings_file.h"
#include "client/cli/evaluate/report_output.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr int64_t kMostRankingsBytes = int64_t{4} << 30;
constexpr int64_t kMostPictureFileBytes = int64_t{64} << 20;  // a page takes less of each, and says so

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
                     const std::string& path) { return ReadPagePicture(pictures, name, path, kMostPictureFileBytes); },
      .of_result =
          [&](const std::string& id) {
            const auto found = paths.find(name_of(id));
            if (found == paths.end()) return PagePicture{.name = id, .missing = "it is not below --images."};
            return ReadPagePicture(pictures, id, found->second, kMostPictureFileBytes);
          }};
  return WorstQueries(benchmark, outcomes, files.queries, sources, most);
}

}  // namespace

int EvaluateRankings(Context& context, const Args& args, const Benchmark& benchmark) {
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

}  // namespace sightline::cli
