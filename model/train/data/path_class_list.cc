#include "model/train/data/path_class_list.h"

#include "base/status.h"

namespace sightline::train {

absl::Status ReadPathClassList(const ListFile& list, absl::FunctionRef<absl::Status(const base::CsvReader& csv)> use) {
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::OpenPlain(list.path, list.text, {"path", "class"}));
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return absl::OkStatus();
    if (csv.line() == 1 && csv[0] == "path" && csv[1] == "class") continue;
    if (!base::LeadsInside(csv[0])) {
      return csv.Wrong(0, "it must lead to a file below the root. Write it relative to the root, without \"..\".");
    }
    if (csv[1].empty()) return csv.Wrong(1, "every photograph needs one. Name what it shows.");
    SIGHTLINE_RETURN_IF_ERROR(use(csv));
  }
}

}  // namespace sightline::train
