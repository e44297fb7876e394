// ModelFolder: a folder that is there wholly or not at all. It is filled beside its place and moved there at the end;
// one that is never moved is removed.
//
// Threading: one thread at a time. Failure: FAILED_PRECONDITION with reason FOLDER_EXISTS, or what the file system
// says.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto folder, ModelFolder::Begin("models/vit", /*replace=*/false));
//   SIGHTLINE_RETURN_IF_ERROR(folder->Write("model.json", text));
//   return folder->Commit();
#ifndef SIGHTLINE_MODEL_WEIGHTS_MODEL_FOLDER_H_
#define SIGHTLINE_MODEL_WEIGHTS_MODEL_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::model {

class ModelFolder {
 public:
  // Whether `place` may be written: it is not there, or empty, or is to be replaced and holds a model and nothing else.
  static absl::Status CheckFree(const std::string& place, bool replace);

  static absl::StatusOr<std::unique_ptr<ModelFolder>> Begin(const std::string& place, bool replace);
  ~ModelFolder();
  ModelFolder(const ModelFolder&) = delete;
  ModelFolder& operator=(const ModelFolder&) = delete;

  // Where it is filled.
  const std::string& path() const { return path_; }
  // A file in it, durably.
  absl::Status Write(const std::string& name, absl::string_view content);
  // Moves it to its place, over what is there if it may be replaced.
  absl::Status Commit();

 private:
  ModelFolder(std::string place, std::string path, bool replace);
  const std::string place_;
  const std::string path_;
  const bool replace_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_WEIGHTS_MODEL_FOLDER_H_
