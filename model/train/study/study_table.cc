#include "model/train/study/study_table.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "model/config/fields.h"
#include "model/weights/strict_json.h"

namespace sightline::train {
namespace {

using model::Fields;
// Keeps the members in the order in which they are written, for people who read the file.
using nlohmann::ordered_json;

constexpr int64_t kMostResultBytes = 1 << 20;
constexpr int64_t kMostCount = int64_t{1} << 53;  // exact in every JSON reader

// A text as a cell of a Markdown table.
std::string Cell(absl::string_view text) { return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"|", "\\|"}}); }

std::string Percent(double share) { return absl::StrFormat("%.1f", 100 * share); }

// "-" where no query has anything to find.
std::string PercentOf(const SplitScore& score) { return score.queries == 0 ? "-" : Percent(score.map); }

std::string Line(const std::vector<std::string>& cells) {
  return absl::StrCat("| ", absl::StrJoin(cells, " | "), " |\n");
}

// Which measures the study has.
struct Measures {
  bool validation = false;
  bool held_out = false;
};

Measures MeasuresOf(const StudyConfig& study) {
  Measures measures{.held_out = !study.held_out.empty()};
  for (const StudyRow& row : study.rows) measures.validation |= row.train.validation.has_value();
  return measures;
}

std::vector<std::string> ResultCells(const Measures& measures, const RowResult& result) {
  std::vector<std::string> cells;
  if (measures.validation) {
    const bool there = result.validation.has_value();
    cells.push_back(there ? Percent(result.validation->map) : "-");
    cells.push_back(there ? Percent(result.validation->recall_at_1) : "-");
  }
  if (measures.held_out) {
    const RevisitedScores scores = result.held_out.value_or(RevisitedScores{});
    for (const SplitScore& split : {scores.easy, scores.medium, scores.hard}) cells.push_back(PercentOf(split));
  }
  cells.push_back(absl::StrCat(result.images));
  cells.push_back(absl::StrFormat("%.0f", result.seconds));
  return cells;
}

// What the measures mean, in words.
std::string Notes(const StudyConfig& study, const Measures& measures, const StudyResults& results) {
  std::string notes;
  const RowResult* any = nullptr;
  for (const auto& result : results) {
    if (result.has_value()) any = &*result;
  }
  if (measures.validation) {
    absl::StrAppend(&notes, "\nmAP and R@1: the validation of the training configuration, in percent");
    if (any != nullptr && any->validation) absl::StrAppend(&notes, ", over ", any->validation->queries, " queries");
    absl::StrAppend(&notes, ".");
  }
  if (measures.held_out) {
    absl::StrAppend(&notes, "\nEasy, Medium, Hard: mAP by trapezoids on the held-out set ", Cell(study.held_out),
                    ", in percent");
    if (any != nullptr && any->held_out) {
      absl::StrAppend(&notes, ", over ", any->held_out->easy.queries, ", ", any->held_out->medium.queries, " and ",
                      any->held_out->hard.queries, " queries");
    }
    absl::StrAppend(&notes, ".");
  }
  absl::StrAppend(&notes, "\nImages count every time they are seen; seconds are of training alone.\n");
  return notes;
}

ordered_json SplitToJson(const SplitScore& score) { return {{"map", score.map}, {"queries", score.queries}}; }

ordered_json ResultToJson(const RowResult& result) {
  ordered_json root = {{"steps", result.steps}, {"images", result.images}, {"seconds", result.seconds}};
  if (result.validation.has_value()) {
    root["validation"] = {{"map", result.validation->map},
                          {"recall_at_1", result.validation->recall_at_1},
                          {"queries", result.validation->queries}};
  }
  if (result.held_out.has_value()) {
    root["held_out"] = {{"easy", SplitToJson(result.held_out->easy)},
                        {"medium", SplitToJson(result.held_out->medium)},
                        {"hard", SplitToJson(result.held_out->hard)}};
  }
  root["embedding_space"] = result.embedding_space;
  return root;
}

absl::StatusOr<SplitScore> ParseSplitScore(Fields fields) {
  const SplitScore score{.map = fields.Number("map", 0, 1), .queries = fields.Int("queries", 0, kMostCount)};
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return score;
}

// Reads an object's member, which is an object, too.
Fields Part(Fields& fields, absl::string_view key) {
  return Fields(fields.Object(key), fields.Path(key), fields.file());
}

absl::StatusOr<RowResult> ParseResult(Fields fields) {
  RowResult result;
  result.steps = fields.Int("steps", 0, kMostCount);
  result.images = fields.Int("images", 0, kMostCount);
  result.seconds = fields.Number("seconds", 0, std::numeric_limits<double>::max());
  result.embedding_space = fields.Text("embedding_space", 256);
  if (fields.Has("validation")) {
    Fields part = Part(fields, "validation");
    result.validation = ValidationResult{.map = part.Number("map", 0, 1),
                                         .recall_at_1 = part.Number("recall_at_1", 0, 1),
                                         .queries = part.Int("queries", 0, kMostCount)};
    SIGHTLINE_RETURN_IF_ERROR(part.Finish());
  }
  if (fields.Has("held_out")) {
    Fields part = Part(fields, "held_out");
    RevisitedScores& scores = result.held_out.emplace();
    SIGHTLINE_ASSIGN_OR_RETURN(scores.easy, ParseSplitScore(Part(part, "easy")));
    SIGHTLINE_ASSIGN_OR_RETURN(scores.medium, ParseSplitScore(Part(part, "medium")));
    SIGHTLINE_ASSIGN_OR_RETURN(scores.hard, ParseSplitScore(Part(part, "hard")));
    SIGHTLINE_RETURN_IF_ERROR(part.Finish());
  }
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return result;
}

}  // namespace

std::string StudyMarkdown(const StudyConfig& study, const StudyResults& results) {
  const Measures measures = MeasuresOf(study);
  std::vector<std::string> head = {"#", "row"};
  for (const std::string& column : study.columns) head.push_back(Cell(column));
  const size_t first_measure = head.size();
  if (measures.validation) head.insert(head.end(), {"mAP", "R@1"});
  if (measures.held_out) head.insert(head.end(), {"Easy", "Medium", "Hard"});
  head.insert(head.end(), {"images", "seconds"});
  std::vector<std::string> rule(head.size(), "---");
  for (size_t i = first_measure; i < rule.size(); ++i) rule[i] = "---:";
  std::string text = absl::StrCat("# ", Cell(study.title), "\n\n", Line(head), Line(rule));
  for (size_t i = 0; i < study.rows.size(); ++i) {
    const StudyRow& row = study.rows[i];
    std::vector<std::string> cells = {absl::StrCat(i + 1), Cell(row.name)};
    for (const std::string& column : study.columns) {
      const auto cell = row.columns.find(column);
      cells.push_back(cell == row.columns.end() ? "" : Cell(cell->second));
    }
    if (results[i].has_value()) {
      const std::vector<std::string> measured = ResultCells(measures, *results[i]);
      cells.insert(cells.end(), measured.begin(), measured.end());
    } else {
      cells.push_back("not run");
      cells.resize(head.size());
    }
    absl::StrAppend(&text, Line(cells));
  }
  return text + Notes(study, measures, results);
}

std::string StudyJson(const StudyConfig& study, const StudyResults& results) {
  ordered_json root = {{"title", study.title}, {"columns", study.columns}, {"rows", ordered_json::array()}};
  for (size_t i = 0; i < study.rows.size(); ++i) {
    const StudyRow& row = study.rows[i];
    root["rows"].push_back({{"name", row.name},
                            {"columns", row.columns},
                            {"parameters", row.parameters},
                            {"result", results[i] ? ResultToJson(*results[i]) : ordered_json(nullptr)}});
  }
  return root.dump(2) + "\n";
}

absl::StatusOr<StudyResults> ParseResults(absl::string_view text, absl::string_view file) {
  SIGHTLINE_ASSIGN_OR_RETURN(const nlohmann::json root,
                             weights::ParseStrictJson(text, file, {.max_bytes = kMostResultBytes}));
  Fields fields(root, "", file);
  // The study itself says these; they are here for other readers.
  fields.Text("title", kMostResultBytes);
  fields.List("columns", 0, std::numeric_limits<size_t>::max());
  const nlohmann::json& rows = fields.List("rows", 0, std::numeric_limits<size_t>::max());
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  StudyResults results;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string path = absl::StrCat("rows[", i, "]");
    Fields row(rows[i], path, file);
    row.Text("name", kMostResultBytes);
    row.Object("columns");
    row.Int("parameters", 0, kMostCount);
    row.Require(row.Has("result"), "result", "is missing");
    std::optional<RowResult>& result = results.emplace_back();
    if (row.ok() && rows[i].at("result").is_null()) continue;
    const nlohmann::json& object = row.Object("result");
    SIGHTLINE_RETURN_IF_ERROR(row.Finish());
    SIGHTLINE_ASSIGN_OR_RETURN(result, ParseResult(Fields(object, absl::StrCat(path, ".result"), file)));
  }
  return results;
}

}  // namespace sightline::train
