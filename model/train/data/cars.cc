// Cars196 (Krause et al. 2013). It is published as a MATLAB file; what is read here is a list of "path,class" rows
// exported from it (relative_im_path and class of cars_annos.mat). Classes are numbers from 1; the first half of them
// is the split "train" and the second half "test", as metric learning has it (METHODS 6.4).
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/train/data/layout.h"
#include "model/train/data/path_class_list.h"

namespace sightline::train {

absl::Status ReadCars(const DatasetConfig& config, DatasetBuilder& builder) {
  SIGHTLINE_RETURN_IF_ERROR(CheckSplit(config, {"train", "test"}));
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile list, ReadList(config, "cars.csv"));
  std::vector<std::pair<std::string, int64_t>> rows;
  int64_t classes = 0;
  SIGHTLINE_RETURN_IF_ERROR(ReadPathClassList(list, [&](const base::CsvReader& csv) {
    SIGHTLINE_ASSIGN_OR_RETURN(const int64_t label, csv.Int(1, 1, 1'000'000));
    classes = std::max(classes, label);
    rows.emplace_back(csv[0], label);
    return absl::OkStatus();
  }));
  for (const auto& [path, label] : rows) {
    if (InHalf(config.split, label, classes)) builder.Add({.path = Below(config, path)}, std::to_string(label));
  }
  return absl::OkStatus();
}

}  // namespace sightline::train
