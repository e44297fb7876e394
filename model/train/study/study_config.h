// A study: one architecture and one training configuration, changed a little in every row, so that what is compared
// differs in nothing else. docs/training.md has each member; the file may hold nothing else.
//
//   {
//     "title": "...", "columns": ["CNN stem", "global"],
//     "base": {...},                    a training configuration without "model" and "out"
//     "architecture": "dtop_tiny",      a folder of the zoo, or the path of a model.json
//     "model": {...},                   a merge patch (RFC 7396) onto it, for every row; may be absent
//     "measure": {"images": "..."},     a held-out set to measure with; may be absent
//     "rows": [{"name": "...", "columns": {"CNN stem": "yes"}, "model": {...}, "train": {...}}]
//   }
//
// Threading: pure functions of the file system. Failure: INVALID_ARGUMENT in one sentence that names the member and,
// where a row's patches make something invalid, the row.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const StudyConfig study, ParseStudy(text, "ablation.json", {.zoo = "model/zoo"}));
#ifndef SIGHTLINE_MODEL_TRAIN_STUDY_STUDY_CONFIG_H_
#define SIGHTLINE_MODEL_TRAIN_STUDY_STUDY_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/run/train_config.h"

namespace sightline::train {

struct StudyRow {
  std::string name;
  std::map<std::string, std::string> columns;  // of the study's columns; a missing one is an empty cell
  std::string model_json;                      // the row's architecture, patched
  int64_t parameters = 0;                      // of it
  // The row's training, patched. "model" is not the name of a file yet: what it holds is part of what decides a
  // checkpoint, and where it lies is not.
  TrainConfig train;
  std::string text;  // JSON of all that decides the row's result; rows of one text have one result
};

struct StudyConfig {
  std::string title;
  std::vector<std::string> columns = {};  // in the order of the table
  std::string held_out = "";              // folder of the held-out set; empty: none
  std::vector<StudyRow> rows = {};
};

struct StudyReading {
  std::string zoo = "model/zoo";
  std::optional<int64_t> steps = std::nullopt;  // instead of what the rows say
};

// `file` is what the file is called in errors.
absl::StatusOr<StudyConfig> ParseStudy(absl::string_view text, absl::string_view file, const StudyReading& reading);

// `status` of row `row`, from 0, with its number and name in front.
absl::Status OfRow(size_t row, absl::string_view name, const absl::Status& status);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_STUDY_STUDY_CONFIG_H_
