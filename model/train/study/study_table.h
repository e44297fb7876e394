// What a study has measured so far: DIR/study.json, which a resumed study reads, and DIR/study.md, for people.
//
// Threading: pure functions and values. Failure: ParseResults answers INVALID_ARGUMENT that names the file and member.
//
//   const std::string markdown = StudyMarkdown(study, results);  // results.size() == study.rows.size()
#ifndef SIGHTLINE_MODEL_TRAIN_STUDY_STUDY_TABLE_H_
#define SIGHTLINE_MODEL_TRAIN_STUDY_STUDY_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/study/revisited.h"
#include "model/train/study/study_config.h"

namespace sightline::train {

// By the training's validation protocol, of the model that was written.
struct ValidationResult {
  double map = 0;
  double recall_at_1 = 0;
  int64_t queries = 0;
};

struct RowResult {
  int64_t steps = 0;   // of the optimiser
  int64_t images = 0;  // seen in them, an image each time it is seen
  double seconds = 0;  // of training, without validation
  std::optional<ValidationResult> validation = std::nullopt;
  std::optional<RevisitedScores> held_out = std::nullopt;
  std::string embedding_space = "";  // of the model
};

// Of every row; nullopt where it is not run.
using StudyResults = std::vector<std::optional<RowResult>>;

// A table with the rows in order: columns, measures in percent, images, seconds; "not run" where there is no result.
std::string StudyMarkdown(const StudyConfig& study, const StudyResults& results);

std::string StudyJson(const StudyConfig& study, const StudyResults& results);

// Of what StudyJson has written, as many rows as it has. `file` is what it is called in errors.
absl::StatusOr<StudyResults> ParseResults(absl::string_view text, absl::string_view file);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_STUDY_STUDY_TABLE_H_
