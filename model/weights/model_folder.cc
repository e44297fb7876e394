#include "model/weights/model_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace sightline::model {
namespace {

constexpr absl::string_view kModelFiles[] = {"model.json", "weights.safetensors"};

std::string WithoutTrailingSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string Parent(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

absl::Status CannotMove(const std::string& place, int error) {
  return base::Error(absl::StatusCode::kInternal, "FILE_ERROR",
                     absl::StrCat("cannot move the model to ", place, ": ", std::strerror(error),
                                  ". Choose a folder on another file system."),
                     {{"path", place}});
}

}  // namespace

absl::Status ModelFolder::CheckFree(const std::string& place, bool replace) {
  std::error_code error;
  if (place.empty()) {
    return base::InvalidArgument("SETTING_MISSING", "no folder to write is given. Name it with --out DIR.");
  }
  if (!std::filesystem::exists(place, error)) return absl::OkStatus();
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> entries, base::ListFolder(place));
  if (entries.empty()) return absl::OkStatus();
  const auto foreign = std::find_if(entries.begin(), entries.end(), [](const std::string& name) {
    return std::find(std::begin(kModelFiles), std::end(kModelFiles), name) == std::end(kModelFiles);
  });
  if (foreign != entries.end()) {
    return base::FailedPrecondition(
        "FOLDER_EXISTS",
        absl::StrCat("folder ", place, " holds ", *foreign, ", which is no part of a model. Choose another folder."),
        {{"path", place}});
  }
  if (replace) return absl::OkStatus();
  return base::FailedPrecondition(
      "FOLDER_EXISTS",
      absl::StrCat("folder ", place, " already holds a model. Choose another one, or pass --force to replace it."),
      {{"path", place}});
}

absl::StatusOr<std::unique_ptr<ModelFolder>> ModelFolder::Begin(const std::string& place, bool replace) {
  SIGHTLINE_RETURN_IF_ERROR(CheckFree(place, replace));
  const std::string clean = WithoutTrailingSlash(place);
  const std::string path = absl::StrCat(clean, ".import-", ::getpid());
  SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(path));
  // make_unique cannot reach the constructor.
  return std::unique_ptr<ModelFolder>(new ModelFolder(clean, path, replace));
}

ModelFolder::ModelFolder(std::string place, std::string path, bool replace)
    : place_(std::move(place)), path_(std::move(path)), replace_(replace) {}

ModelFolder::~ModelFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

absl::Status ModelFolder::Write(const std::string& name, absl::string_view content) {
  return base::WriteFileDurably(absl::StrCat(path_, "/", name), content);
}

absl::Status ModelFolder::Commit() {
  SIGHTLINE_RETURN_IF_ERROR(CheckFree(place_, replace_));
  // An empty folder, or none, is replaced by a plain rename.
  if (std::rename(path_.c_str(), place_.c_str()) != 0) {
    if (errno != ENOTEMPTY && errno != EEXIST) return CannotMove(place_, errno);
    // Both at once, so that there is a whole model at every moment; the old one is removed with this object.
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, place_.c_str(), RENAME_EXCHANGE) != 0) {
      return CannotMove(place_, errno);
    }
  }
  return base::SyncFolder(Parent(place_));
}

}  // namespace sightline::model
