// Stanford Online Products (Song et al. 2016): Ebay_train.txt is the split "train" and Ebay_test.txt "test", with a
// first line and rows "image_id class_id super_class_id path".
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/train/data/layout.h"
#include "model/train/data/space_list.h"

namespace sightline::train {
namespace {

absl::Status ReadSopList(const DatasetConfig& config, absl::string_view name, DatasetBuilder& builder) {
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile file, ReadBelow(config, name));
  SpaceList list(file, {"image_id", "class_id", "super_class_id", "path"});
  bool first = true;
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, list.Next());
    if (!more) return absl::OkStatus();
    const bool names = first && list[0] == "image_id";
    first = false;
    if (names) continue;
    SIGHTLINE_RETURN_IF_ERROR(list.Int(1, 0, INT64_MAX).status());
    SIGHTLINE_ASSIGN_OR_RETURN(const absl::string_view path, list.Path(3));
    builder.Add({.path = Below(config, path)}, list[1]);
  }
}

}  // namespace

absl::Status ReadSop(const DatasetConfig& config, DatasetBuilder& builder) {
  SIGHTLINE_RETURN_IF_ERROR(CheckSplit(config, {"train", "test"}));
  for (const absl::string_view split : {"train", "test"}) {
    if (!config.split.empty() && config.split != split) continue;
    SIGHTLINE_RETURN_IF_ERROR(ReadSopList(config, absl::StrCat("Ebay_", split, ".txt"), builder));
  }
  return absl::OkStatus();
}

}  // namespace sightline::train
