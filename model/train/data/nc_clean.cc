// NC-clean, the cleaned Neural Codes landmarks (Gordo et al. 2016): a list of "path,class" rows, paths below the root.
#include "base/status.h"
#include "model/train/data/layout.h"
#include "model/train/data/path_class_list.h"

namespace sightline::train {

absl::Status ReadNcClean(const DatasetConfig& config, DatasetBuilder& builder) {
  SIGHTLINE_RETURN_IF_ERROR(CheckSplit(config, {}));
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile list, ReadList(config, "nc_clean.csv"));
  return ReadPathClassList(list, [&](const base::CsvReader& csv) {
    builder.Add({.path = Below(config, csv[0])}, csv[1]);
    return absl::OkStatus();
  });
}

}  // namespace sightline::train
