// ExportReader: a file written by `sightline export`, mapped.
//
// Threading: read-only once open. Ownership: tensors view the file, which lives as long as anyone holds mapped().
// Failure: INVALID_ARGUMENT with reason EXPORT_INVALID that names the file; FAILED_PRECONDITION with reason
// SPACE_MISMATCH where another model made what is in it.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const ExportReader file, ExportReader::Open("shop.safetensors"));
//   const weights::TensorView* descriptors = file.Find("descriptors");
#ifndef SIGHTLINE_MODEL_TRAIN_EXPORT_READER_H_
#define SIGHTLINE_MODEL_TRAIN_EXPORT_READER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "model/weights/safetensors.h"

namespace sightline::train {

class ExportReader {
 public:
  static absl::StatusOr<ExportReader> Open(const std::string& path);

  // Whether the file was made in `space`, which its metadata calls `key`; `model` names whose space it is.
  absl::Status CheckSpace(const std::string& key, const std::string& space, const std::string& model) const;
  // Null where the file has no such tensor.
  const weights::TensorView* Find(absl::string_view name) const;
  // The error for a file that `what` is said of: "holds no records".
  absl::Status Invalid(absl::string_view what) const;
  const std::shared_ptr<const base::MappedFile>& mapped() const { return mapped_; }

 private:
  ExportReader() = default;
  std::string path_;
  std::shared_ptr<const base::MappedFile> mapped_;
  weights::Safetensors file_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_EXPORT_READER_H_
