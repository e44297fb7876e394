// Google Landmarks v1: the list of its downloads, id,url,landmark_id, and images in root/ID.jpg. Rows whose landmark_id
// is "None" show no landmark and are passed over.
#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/status.h"
#include "model/train/data/layout.h"

namespace sightline::train {

absl::Status ReadGldv1(const DatasetConfig& config, DatasetBuilder& builder) {
  SIGHTLINE_RETURN_IF_ERROR(CheckSplit(config, {}));
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile list, ReadList(config, "train.csv"));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(list.path, list.text));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t id, csv.Column("id"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t landmark, csv.Column("landmark_id"));
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return absl::OkStatus();
    if (!IsPlainId(csv[id], 1, 64)) {
      return csv.Wrong(id, "it must be of 1 to 64 letters and digits. Use the list as it is published.");
    }
    if (csv[landmark] == "None") continue;
    SIGHTLINE_RETURN_IF_ERROR(csv.Int(landmark, 0, INT64_MAX).status());
    builder.Add({.path = Below(config, absl::StrCat(csv[id], ".jpg"))}, csv[landmark]);
  }
}

}  // namespace sightline::train
