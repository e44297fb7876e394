// The images of a folder through a model, one by one.
//
// Threading: pure functions; the model they are given belongs to them meanwhile. Failure: INVALID_ARGUMENT for a folder
// that cannot be read; what is no image is skipped.
//
//   auto counts = EmbedEach(*model, "photos", 1000, [&](const std::filesystem::path& file, model::Embedding embedding)
//   {
//     ...
//   });
#ifndef SIGHTLINE_MODEL_TRAIN_IMAGE_FOLDER_H_
#define SIGHTLINE_MODEL_TRAIN_IMAGE_FOLDER_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "model/model.h"

namespace sightline::train {

struct FolderCounts {
  int64_t images = 0;
  int64_t skipped = 0;  // files that are no readable image
};

// Calls `use` for every image below `folder`, in the order of their paths; says on standard error how far it is. Of
// more files than `most`, those evenly spread are taken.
absl::StatusOr<FolderCounts> EmbedEach(model::Model& model, const std::string& folder, int64_t most,
                                       absl::FunctionRef<void(const std::filesystem::path&, model::Embedding)> use);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_IMAGE_FOLDER_H_
