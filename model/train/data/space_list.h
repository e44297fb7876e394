// Lists whose fields are parted by single spaces or tabs, as several datasets are published with: numbers and paths
// without blanks, one row a line. Strict: another number of fields, NUL bytes, and lines or lists beyond the limits are
// refused; blank lines are skipped.
//
// Threading: one thread. Ownership: views `text`. Failure: INVALID_ARGUMENT with reason INVALID_LIST that names the
// file and the line.
//
//   SpaceList list(file, {"id", "path"});
//   while (true) {
//     SIGHTLINE_ASSIGN_OR_RETURN(const bool more, list.Next());
//     if (!more) break;
//     SIGHTLINE_ASSIGN_OR_RETURN(const int64_t id, list.Int(0, 1, 1000));
//   }
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_SPACE_LIST_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_SPACE_LIST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/data/layout.h"

namespace sightline::train {

class SpaceList {
 public:
  // `fields` names those of a row, for the errors.
  SpaceList(const ListFile& file, std::vector<std::string> fields);

  // Goes on to the next row; false behind the last.
  absl::StatusOr<bool> Next();
  absl::string_view operator[](size_t field) const { return row_[field]; }
  absl::StatusOr<int64_t> Int(size_t field, int64_t least, int64_t most) const;
  // NaN and the infinities are refused.
  absl::StatusOr<double> Number(size_t field, double least, double most) const;
  // A field as a path below the root.
  absl::StatusOr<absl::string_view> Path(size_t field) const;

  // "FILE, line N: FIELD is "VALUE"; RULE"
  absl::Status Wrong(size_t field, absl::string_view rule) const;

 private:
  absl::Status Problem(absl::string_view problem) const;

  const std::string name_;
  const std::vector<std::string> fields_;
  absl::string_view rest_;
  std::vector<absl::string_view> row_;
  int64_t line_ = 0;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_SPACE_LIST_H_
