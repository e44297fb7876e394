#include "model/train/export_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/weights/strict_json.h"

namespace sightline::train {

absl::StatusOr<ExportReader> ExportReader::Open(const std::string& path) {
  ExportReader reader;
  reader.path_ = path;
  SIGHTLINE_ASSIGN_OR_RETURN(reader.mapped_, base::MappedFile::Open(path, std::numeric_limits<int64_t>::max()));
  SIGHTLINE_ASSIGN_OR_RETURN(reader.file_, weights::ParseSafetensors(reader.mapped_->bytes(), {}));
  if (!reader.file_.metadata.contains("sightline_export")) {
    return reader.Invalid("does not say that it is an exported collection");
  }
  return reader;
}

absl::Status ExportReader::CheckSpace(const std::string& key, const std::string& space,
                                      const std::string& model) const {
  const auto found = file_.metadata.find(key);
  if (found == file_.metadata.end()) return Invalid(absl::StrCat("does not name its ", key));
  if (found->second == space) return absl::OkStatus();
  return base::FailedPrecondition(
      "SPACE_MISMATCH", absl::StrCat(path_, " was made in the ", key, " ", weights::Quoted(found->second), "; model ",
                                     model, " makes ", space, ". Name the model that the collection uses."));
}

const weights::TensorView* ExportReader::Find(absl::string_view name) const {
  const auto found = std::find_if(file_.tensors.begin(), file_.tensors.end(),
                                  [name](const weights::TensorView& tensor) { return tensor.name == name; });
  return found == file_.tensors.end() ? nullptr : &*found;
}

absl::Status ExportReader::Invalid(absl::string_view what) const {
  return base::InvalidArgument("EXPORT_INVALID",
                               absl::StrCat(path_, " ", what, ". Give a file written by `sightline export`."));
}

}  // namespace sightline::train
