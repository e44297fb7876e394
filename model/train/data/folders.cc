// A folder per instance: root/CLASS/*.jpg, and what lies in folders below CLASS. Classes and photographs in the order
// of their names.
#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "model/train/data/layout.h"

namespace sightline::train {
namespace {

// Paths of the pictures below `folder`, sorted. Links to folders below it are not followed, so that none leads in a
// circle.
absl::StatusOr<std::vector<std::string>> PicturesBelow(const std::string& folder) {
  std::vector<std::string> pictures;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!absl::StartsWith(name, ".") && IsPictureName(name) && entry->is_regular_file(error)) {
      pictures.push_back(entry->path().string());
    }
  }
  if (error) {
    return base::InvalidArgument(
        "FOLDER_UNREADABLE",
        absl::StrCat("folder ", folder, " cannot be read: ", error.message(), ". Allow reading it."));
  }
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

}  // namespace

absl::Status ReadFolders(const DatasetConfig& config, DatasetBuilder& builder) {
  SIGHTLINE_RETURN_IF_ERROR(CheckSplit(config, {}));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> names, base::ListFolder(config.root));
  for (const std::string& name : names) {
    const std::string folder = Below(config, name);
    std::error_code error;
    if (absl::StartsWith(name, ".") || !std::filesystem::is_directory(folder, error)) continue;
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> pictures, PicturesBelow(folder));
    for (const std::string& path : pictures) builder.Add({.path = path}, name);
  }
  return absl::OkStatus();
}

}  // namespace sightline::train
