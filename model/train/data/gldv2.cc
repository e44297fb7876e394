// Google Landmarks v2, images in root/a/b/c/abc....jpg by the first characters of their ids, and one of its lists:
//   train.csv        id,url,landmark_id
//   train_clean.csv  landmark_id,images with the ids of a landmark parted by spaces
// Both are told apart by their columns; train_clean.csv is the one read where no list is configured.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/csv.h"
#include "base/status.h"
#include "model/train/data/layout.h"

namespace sightline::train {
namespace {

constexpr size_t kLandmarkIdBytes = 16;

std::string PathOfId(const DatasetConfig& config, absl::string_view id) {
  return Below(config, absl::StrCat(id.substr(0, 1), "/", id.substr(1, 1), "/", id.substr(2, 1), "/", id, ".jpg"));
}

}  // namespace

absl::Status ReadGldv2(const DatasetConfig& config, DatasetBuilder& builder) {
  SIGHTLINE_RETURN_IF_ERROR(CheckSplit(config, {}));
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile list, ReadList(config, "train_clean.csv"));
  // A landmark of the clean list has thousands of ids in one line.
  constexpr size_t kMaxLineBytes = 4 << 20;
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv,
                             base::CsvReader::Open(list.path, list.text, {.max_line_bytes = kMaxLineBytes}));
  const bool clean = csv.FindColumn("images").has_value();
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t ids, csv.Column(clean ? "images" : "id"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t landmark, csv.Column("landmark_id"));
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return absl::OkStatus();
    SIGHTLINE_RETURN_IF_ERROR(csv.Int(landmark, 0, INT64_MAX).status());
    for (const absl::string_view id : absl::StrSplit(csv[ids], ' ')) {
      if (!IsPlainId(id, kLandmarkIdBytes, kLandmarkIdBytes)) {
        return csv.Wrong(ids, absl::StrCat("it must hold ids of ", kLandmarkIdBytes,
                                           " letters and digits. Use the list as it is published."));
      }
      builder.Add({.path = PathOfId(config, id)}, csv[landmark]);
    }
  }
}

}  // namespace sightline::train
