// CUB-200-2011 (Wah et al. 2011): images.txt (id path), image_class_labels.txt (id class) and bounding_boxes.txt
// (id x y width height, pixels); pictures in root/images. The first half of the classes is the split "train" and the
// second half "test", as metric learning has it (METHODS 6.4). Whole pictures, as that protocol has them too, unless
// `list` is "bounding_boxes.txt".
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/train/data/layout.h"
#include "model/train/data/space_list.h"

namespace sightline::train {
namespace {

constexpr absl::string_view kBoxList = "bounding_boxes.txt";
constexpr int64_t kMostBirds = 100'000'000;

// What the rows of a list say of every id.
template <typename Value, typename Read>
absl::StatusOr<absl::flat_hash_map<int64_t, Value>> ReadById(const DatasetConfig& config, absl::string_view name,
                                                             const std::vector<std::string>& fields, Read read) {
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile file, ReadBelow(config, name));
  absl::flat_hash_map<int64_t, Value> values;
  SpaceList list(file, fields);
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, list.Next());
    if (!more) return values;
    SIGHTLINE_ASSIGN_OR_RETURN(const int64_t id, list.Int(0, 0, kMostBirds));
    SIGHTLINE_ASSIGN_OR_RETURN(Value value, read(list));
    if (!values.try_emplace(id, std::move(value)).second) {
      return list.Wrong(0, "an earlier line has the same. Give every image one line.");
    }
  }
}

absl::StatusOr<image::CropBox> ReadBirdBox(const SpaceList& list) {
  constexpr double kMost = 1e6;
  SIGHTLINE_ASSIGN_OR_RETURN(const double x, list.Number(1, -kMost, kMost));
  SIGHTLINE_ASSIGN_OR_RETURN(const double y, list.Number(2, -kMost, kMost));
  SIGHTLINE_ASSIGN_OR_RETURN(const double width, list.Number(3, 1, kMost));
  SIGHTLINE_ASSIGN_OR_RETURN(const double height, list.Number(4, 1, kMost));
  return image::CropBox{x, y, x + width, y + height, image::CropBox::Unit::kPixel};
}

}  // namespace

absl::Status ReadCub(const DatasetConfig& config, DatasetBuilder& builder) {
  SIGHTLINE_RETURN_IF_ERROR(CheckSplit(config, {"train", "test"}));
  const bool with_boxes = config.list == kBoxList;
  if (!config.list.empty() && !with_boxes) {
    return base::InvalidArgument("INVALID_LIST", absl::StrCat("list is ", config.list, "; of cub it may be ", kBoxList,
                                                              " or empty. Set one of these."));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const auto labels,
                             ReadById<int64_t>(config, "image_class_labels.txt", {"id", "class"},
                                               [](const SpaceList& list) { return list.Int(1, 1, 1'000'000); }));
  absl::flat_hash_map<int64_t, image::CropBox> boxes;
  if (with_boxes) {
    SIGHTLINE_ASSIGN_OR_RETURN(
        boxes, ReadById<image::CropBox>(config, kBoxList, {"id", "x", "y", "width", "height"}, ReadBirdBox));
  }
  int64_t classes = 0;
  for (const auto& [id, label] : labels) classes = std::max(classes, label);
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile file, ReadBelow(config, "images.txt"));
  SpaceList list(file, {"id", "path"});
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, list.Next());
    if (!more) return absl::OkStatus();
    SIGHTLINE_ASSIGN_OR_RETURN(const int64_t id, list.Int(0, 0, kMostBirds));
    SIGHTLINE_ASSIGN_OR_RETURN(const absl::string_view path, list.Path(1));
    const auto label = labels.find(id);
    if (label == labels.end()) return list.Wrong(0, "image_class_labels.txt does not have it. Add its class.");
    if (!InHalf(config.split, label->second, classes)) continue;
    Photo photo{.path = Below(config, absl::StrCat("images/", path))};
    if (with_boxes) {
      const auto box = boxes.find(id);
      if (box == boxes.end()) return list.Wrong(0, "bounding_boxes.txt does not have it. Add its box.");
      photo.box = box->second;
    }
    builder.Add(std::move(photo), absl::StrCat(label->second));
  }
}

}  // namespace sightline::train
