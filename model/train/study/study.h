// Runs the rows of a study one after another and keeps their table.
//
//   DIR/row_01/row.json     all that decides the row's result: architecture, training, measure
//   DIR/row_01/model.json   the row's architecture
//   DIR/row_01/...          what a training run writes (run/trainer.h), the model among it
//   DIR/study.json          results so far; written anew behind every row
//   DIR/study.md            the same as a table
//
// A row is done once DIR/study.json has its result. A resumed study leaves such rows as they are, and goes on with a
// row that was stopped from its newest checkpoint.
//
// Threading: one study at a time in a folder, which a lock sees to; LibTorch's threads are set for the whole process.
// Failure: Status that names the row and leaves the results so far; exceptions of LibTorch end here.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const StudyOutcome outcome, RunStudy(study, {.out = "runs/ablation", .resume = true}));
#ifndef SIGHTLINE_MODEL_TRAIN_STUDY_STUDY_H_
#define SIGHTLINE_MODEL_TRAIN_STUDY_STUDY_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/run/trainer.h"
#include "model/train/study/study_config.h"
#include "model/train/study/study_table.h"

namespace sightline::train {

struct StudyOptions {
  std::string out;
  std::vector<size_t> rows = {};  // which to run, from 0; empty: all
  TrainOptions train = {};        // of every row; `resume` is the study's, too
};

struct StudyOutcome {
  int run = 0;               // rows by this process
  int kept = 0;              // rows asked for that were done before
  bool interrupted = false;  // by wants_to_stop, in the middle of a row
  StudyResults results;
  std::string table;  // DIR/study.md
};

absl::StatusOr<StudyOutcome> RunStudy(const StudyConfig& study, const StudyOptions& options);

// What DIR/study.json says of the study's rows; nothing is run where there is no such file. FAILED_PRECONDITION where
// it has results of other rows than the study's.
absl::StatusOr<StudyResults> ReadStudyResults(const StudyConfig& study, const std::string& out);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_STUDY_STUDY_H_
