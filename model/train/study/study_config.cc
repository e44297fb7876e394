#include "model/train/study/study_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/sha256.h"
#include "base/status.h"
#include "model/config/fields.h"
#include "model/config/model_config.h"
#include "model/train/run/architecture_file.h"
#include "model/weights/strict_json.h"

namespace sightline::train {
namespace {

using model::Fields;
using nlohmann::json;

constexpr size_t kMostTitle = 256;
constexpr size_t kMostCell = 64;
constexpr size_t kMostPathBytes = 4096;
constexpr size_t kMostRows = 99;  // two digits in the names of folders
constexpr size_t kMostColumns = 16;
constexpr int64_t kMostStudyBytes = 1 << 20;

// What may stand in a cell of the table: one line of text.
bool IsCell(absl::string_view text, size_t most) {
  return !text.empty() && text.size() <= most && std::none_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c));
  });
}

std::string ReadCell(Fields& fields, absl::string_view key, size_t most) {
  std::string text = fields.Text(key, most);
  fields.Require(IsCell(text, most), key, "must be a line of text and not empty");
  return text;
}

std::string RowTitle(size_t row, absl::string_view name) {
  return absl::StrCat("row ", row + 1, " (", weights::Quoted(name), ")");
}

// A merge patch of a row or of the study; empty where it is absent.
json ReadPatch(Fields& fields, absl::string_view key) { return fields.Has(key) ? fields.Object(key) : json::object(); }

struct Plan {
  json architecture;
  json base;
  std::string held_out;
  std::optional<int64_t> steps;
  absl::string_view file;
};

// The row's architecture, checked; its parameters are counted.
absl::Status MakeModel(const Plan& plan, const json& patch, size_t row, StudyRow& made, json& patched) {
  patched = plan.architecture;
  patched.merge_patch(patch);
  made.model_json = patched.dump(2);
  const absl::StatusOr<model::ModelConfig> config = model::ParseModelConfig(made.model_json);
  if (config.ok()) {
    made.parameters = config->parameters();
    return absl::OkStatus();
  }
  const base::ErrorInfo info = base::GetErrorInfo(config.status());
  return base::InvalidArgument(
      info.reason,
      absl::StrCat(plan.file, ": the patches of ", RowTitle(row, made.name), " make a model that is not valid: ",
                   absl::StripSuffix(config.status().message(), " Correct model.json."), " Correct its \"model\"."),
      info.facts);
}

absl::Status MakeTraining(const Plan& plan, const json& patch, size_t row, StudyRow& made, json& patched) {
  patched = plan.base;
  patched.merge_patch(patch);
  if (plan.steps.has_value()) patched.merge_patch({{"steps", *plan.steps}, {"epochs", nullptr}});
  json complete = patched;
  complete["model"] = base::Sha256Hex(made.model_json);
  const std::string file = absl::StrCat(plan.file, ", training of ", RowTitle(row, made.name));
  SIGHTLINE_ASSIGN_OR_RETURN(made.train, ParseTrainConfig(complete.dump(), file));
  if (made.train.validation.has_value() || !plan.held_out.empty()) return absl::OkStatus();
  return base::InvalidArgument("INVALID_CONFIG", absl::StrCat(file,
                                                              ": nothing says how the row is measured. Give the base a "
                                                              "\"validation\", or the study a \"measure\"."));
}

absl::StatusOr<StudyRow> ReadRow(const Plan& plan, const std::vector<std::string>& columns, const json& value,
                                 size_t row) {
  Fields fields(value, absl::StrCat("rows[", row, "]"), plan.file);
  StudyRow made;
  made.name = ReadCell(fields, "name", kMostCell);
  const json cells = ReadPatch(fields, "columns");
  const json model = ReadPatch(fields, "model");
  const json train = ReadPatch(fields, "train");
  for (const auto& [column, cell] : cells.items()) {
    fields.Require(std::find(columns.begin(), columns.end(), column) != columns.end(), "columns",
                   "names a column that the study's \"columns\" does not have");
    const bool line = cell.is_string() && IsCell(cell.get_ref<const std::string&>(), kMostCell);
    fields.Require(line, "columns", absl::StrCat("must hold lines of text of 1 to ", kMostCell, " bytes"));
    if (line) made.columns[column] = cell.get<std::string>();
  }
  for (const char* const member : {"model", "out"}) {
    fields.Require(!train.contains(member), "train", "must not hold model or out, which the study decides");
  }
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  json patched_model;
  json patched_train;
  SIGHTLINE_RETURN_IF_ERROR(MakeModel(plan, model, row, made, patched_model));
  SIGHTLINE_RETURN_IF_ERROR(MakeTraining(plan, train, row, made, patched_train));
  json whole = {{"name", made.name}, {"model", patched_model}, {"train", patched_train}};
  if (!plan.held_out.empty()) whole["measure"] = {{"images", plan.held_out}};
  made.text = whole.dump(2) + "\n";
  return made;
}

absl::StatusOr<std::vector<std::string>> ReadColumns(Fields& fields) {
  std::vector<std::string> columns;
  if (!fields.Has("columns")) return columns;
  for (const json& value : fields.List("columns", 0, kMostColumns)) {
    const bool line = value.is_string() && IsCell(value.get_ref<const std::string&>(), kMostCell);
    fields.Require(line, "columns", absl::StrCat("must hold lines of text of 1 to ", kMostCell, " bytes"));
    if (!line) break;
    const auto& column = value.get_ref<const std::string&>();
    fields.Require(std::find(columns.begin(), columns.end(), column) == columns.end(), "columns",
                   "must not name a column twice");
    columns.push_back(column);
  }
  return columns;
}

absl::StatusOr<json> ReadPatchedArchitecture(const std::string& name, const json& patch, const std::string& zoo) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadArchitecture(name, zoo));
  SIGHTLINE_ASSIGN_OR_RETURN(json architecture, weights::ParseStrictJson(text, name, {}));
  architecture.merge_patch(patch);
  return architecture;
}

}  // namespace

absl::Status OfRow(size_t row, absl::string_view name, const absl::Status& status) {
  const base::ErrorInfo info = base::GetErrorInfo(status);
  return base::Error(status.code(), info.reason, absl::StrCat(RowTitle(row, name), ": ", status.message()), info.facts);
}

absl::StatusOr<StudyConfig> ParseStudy(absl::string_view text, absl::string_view file, const StudyReading& reading) {
  SIGHTLINE_ASSIGN_OR_RETURN(const json root, weights::ParseStrictJson(text, file, {.max_bytes = kMostStudyBytes}));
  Fields fields(root, "", file);
  StudyConfig study;
  Plan plan;
  plan.file = file;
  plan.steps = reading.steps;
  study.title = ReadCell(fields, "title", kMostTitle);
  SIGHTLINE_ASSIGN_OR_RETURN(study.columns, ReadColumns(fields));
  plan.base = fields.Object("base");
  for (const char* const member : {"model", "out"}) {
    fields.Require(!plan.base.contains(member), "base", "must not hold model or out, which the study decides");
  }
  const std::string architecture = ReadCell(fields, "architecture", kMostPathBytes);
  const json patch = ReadPatch(fields, "model");
  if (fields.ok() && fields.Has("measure")) {
    Fields measure(fields.Object("measure"), "measure", file);
    study.held_out = ReadCell(measure, "images", kMostPathBytes);
    SIGHTLINE_RETURN_IF_ERROR(measure.Finish());
  }
  plan.held_out = study.held_out;
  const json& rows = fields.List("rows", 1, kMostRows);
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  SIGHTLINE_ASSIGN_OR_RETURN(plan.architecture, ReadPatchedArchitecture(architecture, patch, reading.zoo));
  for (size_t i = 0; i < rows.size(); ++i) {
    SIGHTLINE_ASSIGN_OR_RETURN(StudyRow row, ReadRow(plan, study.columns, rows[i], i));
    for (const StudyRow& other : study.rows) {
      if (other.name != row.name) continue;
      return base::InvalidArgument("INVALID_CONFIG", absl::StrCat(file, ": ", RowTitle(i, row.name),
                                                                  " has the name of another row. Give it its own."));
    }
    study.rows.push_back(std::move(row));
  }
  return study;
}

}  // namespace sightline::train
