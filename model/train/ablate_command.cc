#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "model/cpu.h"
#include "model/train/command.h"
#include "model/train/flags.h"
#include "model/train/study/study.h"
#include "model/train/study/study_config.h"
#include "model/train/training_flags.h"

namespace sightline::train {
namespace {

constexpr char kAblateUsage[] =
    R"(usage: sightline-train ablate STUDY.json --out DIR [--resume] [--rows 1,4,7] [--steps N] [--fp16] [--threads N]
                              [--device cpu|cuda] [--zoo DIR]
       sightline-train ablate STUDY.json --list [--out DIR] [--steps N] [--zoo DIR]

Trains the rows of a study, which differ in what the study says and in nothing else, measures them, and keeps a table;
docs/training.md has the study's members. Writes a run to DIR/row_01, DIR/row_02, ..., and results to DIR/study.json and
DIR/study.md behind every row.

  --out DIR      the folder to write
  --resume       go on with the study in DIR: finished rows stay, a row that was stopped goes on from its checkpoint
  --rows LIST    numbers of the rows to run, from 1; the others are "not run" or stay as they are
  --steps N      of every row, instead of the study's "steps" or "epochs"
  --list         only print the rows, and with --out which of them are finished
  --fp16, --threads N, --device D, --zoo DIR   as of `sightline-train train`

Ctrl-C writes a checkpoint of the row that is running and ends; kill -9 leaves the last one.
)";

constexpr int64_t kMostStudyText = 1 << 20;

// "1,4,7" as places from 0, ascending, each once.
absl::StatusOr<std::vector<size_t>> ReadRowList(const std::string& text, size_t rows) {
  std::vector<size_t> places;
  for (const absl::string_view piece : absl::StrSplit(text, ',')) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(piece, &number) || number < 1 || number > static_cast<int64_t>(rows)) {
      return base::InvalidArgument("SETTING_OUT_OF_RANGE",
                                   absl::StrCat("--rows is ", text, ". Give numbers from 1 to ", rows,
                                                " with commas between them, as --list shows them."));
    }
    places.push_back(static_cast<size_t>(number - 1));
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

void PrintRows(const StudyConfig& study, const StudyResults& results) {
  absl::PrintF("%s\n", study.title);
  for (size_t i = 0; i < study.rows.size(); ++i) {
    const StudyRow& row = study.rows[i];
    std::string cells;
    for (const std::string& column : study.columns) {
      const auto cell = row.columns.find(column);
      if (cell != row.columns.end()) absl::StrAppend(&cells, cells.empty() ? "" : ", ", column, " ", cell->second);
    }
    absl::PrintF("%2d  %-32s %6.2f M parameters  %-8s  %s\n", i + 1, row.name,
                 static_cast<double>(row.parameters) / 1e6, results[i].has_value() ? "finished" : "not run", cells);
  }
}

absl::Status RunAblate(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(
      const Flags flags,
      Flags::Parse(arguments, WithTrainingFlags({{"out", "DIR"}, {"rows", "LIST"}, {"steps", "N"}, {"list", ""}})));
  if (flags.positional().size() != 1) {
    return base::InvalidArgument("ARGUMENT_MISSING",
                                 absl::StrCat(flags.positional().size(),
                                              " studies are given; one is needed. Write `sightline-train ablate "
                                              "STUDY.json --out DIR`."));
  }
  StudyOptions options{.out = flags.Text("out", "")};
  SIGHTLINE_ASSIGN_OR_RETURN(options.train, ReadTrainingFlags(flags));
  StudyReading reading{.zoo = options.train.zoo};
  if (flags.Has("steps")) {
    SIGHTLINE_ASSIGN_OR_RETURN(reading.steps, flags.Integer("steps", 0));
  }
  const std::string& path = flags.positional()[0];
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMostStudyText));
  SIGHTLINE_ASSIGN_OR_RETURN(const StudyConfig study, ParseStudy(text, path, reading));
  if (flags.Has("rows")) {
    SIGHTLINE_ASSIGN_OR_RETURN(options.rows, ReadRowList(flags.Text("rows", ""), study.rows.size()));
  }
  if (flags.Has("list")) {
    StudyResults results(study.rows.size());
    if (!options.out.empty()) {
      SIGHTLINE_ASSIGN_OR_RETURN(results, ReadStudyResults(study, options.out));
    }
    PrintRows(study, results);
    return absl::OkStatus();
  }
  if (options.out.empty()) {
    return base::InvalidArgument("SETTING_MISSING", "no folder to write is given. Name it with --out DIR.");
  }
  model::UseWholeCpu();
  StopOnSignals(options.train);
  SIGHTLINE_ASSIGN_OR_RETURN(const StudyOutcome outcome, RunStudy(study, options));
  if (outcome.interrupted) {
    absl::PrintF("stopped in the middle of a row, with a checkpoint in %s; --resume goes on from there\n", options.out);
    return absl::OkStatus();
  }
  absl::PrintF("%d rows run, %d were finished before; %s\n\n%s", outcome.run, outcome.kept, outcome.table,
               StudyMarkdown(study, outcome.results));
  return absl::OkStatus();
}

}  // namespace

Command AblateCommand() { return {"ablate", "train and compare the rows of a study", kAblateUsage, RunAblate}; }

}  // namespace sightline::train
