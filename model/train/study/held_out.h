// A held-out set as `sightline-train landmarks` writes it: DIR/labels.csv says which pictures are queries (cropped to
// their boxes) and which are in the database, DIR/ground_truth.csv what each query should find.
//
// Threading: values. Failure: INVALID_ARGUMENT that names the file and the line; the file layer's.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const HeldOutSet set, ReadHeldOut("data/held_out"));
#ifndef SIGHTLINE_MODEL_TRAIN_STUDY_HELD_OUT_H_
#define SIGHTLINE_MODEL_TRAIN_STUDY_HELD_OUT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/data/dataset.h"
#include "model/train/study/revisited.h"

namespace sightline::train {

struct HeldOutSet {
  std::vector<Photo> queries;  // with their boxes
  std::vector<Photo> database;
  std::vector<std::vector<Relevance>> verdicts;  // per query, of every photograph of the database
};

absl::StatusOr<HeldOutSet> ReadHeldOut(const std::string& folder);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_STUDY_HELD_OUT_H_
