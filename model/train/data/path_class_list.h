// Lists of "path,class" rows, with or without a line of these names.
//
// Threading: one thread. Failure: INVALID_ARGUMENT that names the file and the line.
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_PATH_CLASS_LIST_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_PATH_CLASS_LIST_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/csv.h"
#include "model/train/data/layout.h"

namespace sightline::train {

// Calls `use` for each row; paths that lead out of the root and empty classes are refused before. `csv` is at the row,
// for errors: column 0 is the path and 1 the class.
absl::Status ReadPathClassList(const ListFile& list, absl::FunctionRef<absl::Status(const base::CsvReader& csv)> use);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_PATH_CLASS_LIST_H_
