// ExportFile: the images of a collection as one safetensors file (docs/formats.md).
//
// Descriptors go straight to their place behind a header of fixed size, which is written last; what else there is waits
// in files beside it that have no name, and is appended at the end. So any number of images passes through little
// memory. The file has its name only once it is whole.
//
// Threading: one thread at a time. Ownership: owns its files; destroyed before Finish it leaves nothing.
// Failure: Status with the path and the system's words.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto file, ExportFile::Create("shop.safetensors", collection, /*tokens=*/true));
//   SIGHTLINE_RETURN_IF_ERROR(file->Add(image));
//   SIGHTLINE_RETURN_IF_ERROR(file->Finish());
#ifndef SIGHTLINE_CLIENT_CLI_EXPORT_FILE_H_
#define SIGHTLINE_CLIENT_CLI_EXPORT_FILE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sightline/v1/collection.pb.h"
#include "sightline/v1/image_record.pb.h"

namespace sightline::cli {

class ExportFile {
 public:
  // FAILED_PRECONDITION when there is something under `path`.
  static absl::StatusOr<std::unique_ptr<ExportFile>> Create(const std::string& path, const v1::Collection& collection,
                                                            bool tokens);
  ~ExportFile();
  ExportFile(const ExportFile&) = delete;
  ExportFile& operator=(const ExportFile&) = delete;

  // An image as IMAGE_VIEW_VECTORS gives it.
  absl::Status Add(const v1::ImageRecord& image);

  // Durable on OK. Once, and last.
  absl::Status Finish();

  int64_t images() const { return images_; }
  int64_t bytes() const;

 private:
  // The sections in their order in the file.
  enum Section { kDescriptors, kScales, kImportance, kCentres, kGrids, kValues, kRecords, kSections };

  // One section being written, buffered.
  struct Spool {
    int fd = -1;
    int64_t bytes = 0;
    std::string buffer;
  };

  ExportFile(std::string path, v1::Collection collection, bool tokens);

  absl::Status Open();
  absl::Status Append(Section section, absl::string_view data);
  absl::Status Flush(Section section);
  absl::Status AddTokens(const v1::ImageRecord& image);
  absl::Status AppendSection(Section section);
  std::string Header() const;
  absl::Status Problem(absl::string_view action) const;

  const std::string path_;
  const v1::Collection collection_;
  const bool tokens_;
  std::array<Spool, kSections> spools_;  // that of the descriptors is the file itself
  int64_t images_ = 0;
  int64_t token_count_ = 0;
  int64_t token_dim_ = 0;
  v1::PatchTokens::Precision token_precision_ = v1::PatchTokens::PRECISION_INT8;
  bool finished_ = false;
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EXPORT_FILE_H_
