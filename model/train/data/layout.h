// What the readers of layouts share: the files they read and the builder they fill. One .cc file per layout.
//
// Threading: values; a builder belongs to one thread. Failure: INVALID_ARGUMENT that names the file and the line.
//
//   DatasetBuilder builder;
//   SIGHTLINE_RETURN_IF_ERROR(ReadFolders(config, builder));
//   return std::move(builder).Finish(config);
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_LAYOUT_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/train/data/dataset.h"
#include "model/train/data/dataset_config.h"

namespace sightline::train {

class DatasetBuilder {
 public:
  // Classes are numbered as they come.
  void Add(Photo photo, absl::string_view class_name);
  // Leaves out classes as the configuration asks. An empty set is an error.
  absl::StatusOr<Dataset> Finish(const DatasetConfig& config) &&;

 private:
  Dataset dataset_;
  absl::flat_hash_map<std::string, int64_t> labels_;
};

struct ListFile {
  std::string path;
  std::string text;
};
// config.list, or `usual_name` where that is empty: below the root, or else beside it.
absl::StatusOr<ListFile> ReadList(const DatasetConfig& config, absl::string_view usual_name);
// A file of the layout, below the root.
absl::StatusOr<ListFile> ReadBelow(const DatasetConfig& config, absl::string_view name);

// root/relative
std::string Below(const DatasetConfig& config, absl::string_view relative);

// Whether the name ends as one of the formats that are decoded: .jpg, .jpeg, .png, .webp, in any case.
bool IsPictureName(absl::string_view name);

// Whether `id` is made of `least` to `most` ASCII letters, digits, '-' and '_': nothing that leads anywhere in a path.
bool IsPlainId(absl::string_view id, size_t least, size_t most);

// OK where config.split is empty or one of `splits`.
absl::Status CheckSplit(const DatasetConfig& config, absl::Span<const absl::string_view> splits);
// Whether class `label` of 1 to `classes` is in the half that `split` names: "train" the first, "test" the second,
// empty both.
bool InHalf(absl::string_view split, int64_t label, int64_t classes);

absl::Status ReadFolders(const DatasetConfig& config, DatasetBuilder& builder);
absl::Status ReadCsv(const DatasetConfig& config, DatasetBuilder& builder);
absl::Status ReadGldv2(const DatasetConfig& config, DatasetBuilder& builder);
absl::Status ReadGldv1(const DatasetConfig& config, DatasetBuilder& builder);
absl::Status ReadSfm120k(const DatasetConfig& config, DatasetBuilder& builder);
absl::Status ReadNcClean(const DatasetConfig& config, DatasetBuilder& builder);
absl::Status ReadCub(const DatasetConfig& config, DatasetBuilder& builder);
absl::Status ReadCars(const DatasetConfig& config, DatasetBuilder& builder);
absl::Status ReadSop(const DatasetConfig& config, DatasetBuilder& builder);
absl::Status ReadMsls(const DatasetConfig& config, DatasetBuilder& builder);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_LAYOUT_H_
