#include "client/cli/evaluate/report.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

std::string Percent(double share) { return absl::StrFormat("%.2f", 100 * share); }

std::string Stages(const std::map<std::string, double>& milliseconds) {
  std::vector<std::string> stages;
  for (const auto& [stage, time] : milliseconds) stages.push_back(absl::StrFormat("%s %.1f ms", stage, time));
  return absl::StrJoin(stages, ", ");
}

std::string ThresholdsJson(const Thresholds& thresholds) {
  if (thresholds.rows.empty()) return "null";
  std::vector<std::string> rows;
  for (const Threshold& row : thresholds.rows) {
    JsonObject out;
    out.Number("least", row.least).Number("answered", row.answered);
    for (const auto& [name, share] :
         {std::pair("first_right", row.first_right), std::pair("precision", row.precision)}) {
      if (share) {
        out.Number(name, *share);
      } else {
        out.Raw(name, "null");
      }
    }
    rows.push_back(out.Number("recall", row.recall).Done());
  }
  return JsonObject().Text("by", thresholds.by).Int("queries", thresholds.queries).Raw("rows", JsonArray(rows)).Done();
}

}  // namespace

std::string ShownValue(const BenchMeasure& measure, double value) {
  return measure.share ? Percent(value) : absl::StrFormat("%.2f", value);
}

std::string ShownMean(const BenchMeasure& measure, const SplitScore& score, size_t m) {
  return score.queries == 0 ? "-" : ShownValue(measure, score.means[m]);
}

std::vector<std::string> ThresholdTitles(const Thresholds& thresholds) {
  if (thresholds.rows.empty()) return {};
  return {thresholds.by, "answered", "first right", "precision", "recall"};
}

std::vector<std::vector<std::string>> ThresholdRows(const Thresholds& thresholds) {
  const auto shown = [](const std::optional<double>& share) { return share ? Percent(*share) : "-"; };
  std::vector<std::vector<std::string>> rows;
  for (const Threshold& row : thresholds.rows) {
    rows.push_back({absl::StrFormat("%.2f", row.least), Percent(row.answered), shown(row.first_right),
                    shown(row.precision), Percent(row.recall)});
  }
  return rows;
}

std::string EvalTable(const EvalReport& report) {
  std::vector<Table::Column> columns = {{"run"}, {"split"}, {"queries", Align::kRight}};
  for (const BenchMeasure& measure : report.measures) columns.push_back({measure.name, Align::kRight});
  Table table(columns);
  for (const EvalRunReport& run : report.runs) {
    for (size_t s = 0; s < run.splits.size(); ++s) {
      std::vector<std::string> row = {run.name, report.split_names[s], absl::StrCat(run.splits[s].queries)};
      for (size_t m = 0; m < report.measures.size(); ++m)
        row.push_back(ShownMean(report.measures[m], run.splits[s], m));
      table.AddRow(row);
    }
  }
  std::string out = table.Render();
  if (!report.model.model().empty()) {
    absl::StrAppend(
        &out, "model ", Printable(report.model.model()), ", ", Printable(report.model.numeric()),
        report.scales.empty() ? "" : absl::StrCat(", scales ", report.scales), ", index ", Printable(report.index),
        ", ", Plural(report.images, "image"),
        report.distractors > 0 ? absl::StrCat(" (", Plural(report.distractors, "distractor"), " of them)") : "", "\n");
  }
  for (const EvalRunReport& run : report.runs) {
    if (!run.milliseconds.empty())
      absl::StrAppend(&out, "a search, ", Printable(run.name), ": ", Printable(Stages(run.milliseconds)), "\n");
  }
  if (!report.thresholds.rows.empty()) {
    std::vector<Table::Column> titles;
    for (const std::string& title : ThresholdTitles(report.thresholds)) titles.push_back({title, Align::kRight});
    Table thresholds(titles);
    for (const std::vector<std::string>& row : ThresholdRows(report.thresholds)) thresholds.AddRow(row);
    absl::StrAppend(&out, "\nwhat a threshold leaves, ", Printable(report.runs[0].name), ":\n", thresholds.Render());
  }
  return out;
}

std::string EvalJson(const EvalReport& report) {
  std::vector<std::string> runs;
  for (const EvalRunReport& run : report.runs) {
    std::vector<std::string> splits;
    for (size_t s = 0; s < run.splits.size(); ++s) {
      const SplitScore& score = run.splits[s];
      JsonObject measures;
      for (size_t m = 0; m < report.measures.size(); ++m) {
        if (score.queries == 0) {
          measures.Raw(report.measures[m].name, "null");
        } else {
          measures.Number(report.measures[m].name, score.means[m]);
        }
      }
      splits.push_back(JsonObject()
                           .Text("split", report.split_names[s])
                           .Int("queries", score.queries)
                           .Int("excluded_queries", score.excluded)
                           .Int("positives", score.positives)
                           .Int("positives_not_found", score.not_found)
                           .Raw("measures", measures.Done())
                           .Done());
    }
    JsonObject stages;
    for (const auto& [stage, time] : run.milliseconds) stages.Number(stage, time);
    runs.push_back(JsonObject()
                       .Text("run", run.name)
                       .Raw("request", run.settings.empty() ? "null" : run.settings)
                       .Raw("splits", JsonArray(splits))
                       .Raw("stage_milliseconds", stages.Done())
                       .Done());
  }
  std::vector<std::string> notes;
  for (const std::string& note : report.notes) notes.push_back(JsonText(note));
  return JsonObject()
      .Text("benchmark", report.title)
      .Text("ground_truth", report.ground_truth)
      .Text("source", report.source)
      .Int("images", report.images)
      .Int("distractors", report.distractors)
      .Raw("model", report.model.model().empty() ? "null" : JsonMessage(report.model))
      .Text("index", report.index)
      .Text("scales", report.scales)
      .Raw("runs", JsonArray(runs))
      .Raw("thresholds", ThresholdsJson(report.thresholds))
      .Raw("notes", JsonArray(notes))
      .Done();
}

}  // namespace sightline::cli
