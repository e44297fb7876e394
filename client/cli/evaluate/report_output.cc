#include "client/cli/evaluate/report_output.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/version.h"
#include "client/cli/html.h"
#include "client/cli/text.h"

namespace sightline::cli {

EvalReport StartReport(const Context& context, const Args& args, const Benchmark& benchmark) {
  EvalReport report{.title = benchmark.title, .ground_truth = args.operands().back(), .measures = benchmark.measures};
  for (const BenchSplit& split : benchmark.splits) report.split_names.push_back(split.name);
  std::vector<std::string> words = {"sightline", "evaluate"};
  words.insert(words.end(), args.words().begin(), args.words().end());
  report.command = ShellWords(words);
  report.made = absl::StrCat("Made on ", absl::FormatTime("%Y-%m-%d %H:%M", context.clock.Now(), absl::UTCTimeZone()),
                             " UTC by sightline ", base::Version(), ":");
  return report;
}

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

PagePicture ReadPagePicture(PagePictures& pictures, const std::string& name, const std::string& path,
                            int64_t max_image_bytes) {
  const auto bytes = base::ReadFile(path, max_image_bytes);
  if (bytes.ok()) return pictures.OfFile(name, *bytes);
  return {.name = name, .missing = std::string(bytes.status().message())};
}

}  // namespace sightline::cli
