#include "model/train/scene/set_folder.h"

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace sightline::scene {
namespace {

constexpr int64_t kMostSettingsBytes = 1 << 16;

}  // namespace

absl::StatusOr<bool> SetFolder::Begin() const {
  SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(path));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> entries, base::ListFolder(path));
  if (entries.empty()) return false;
  const absl::StatusOr<std::string> found = base::ReadFile(absl::StrCat(path, "/", file), kMostSettingsBytes);
  if (found.ok() && *found == settings) return true;
  return base::FailedPrecondition(
      "FOLDER_IN_USE", absl::StrCat("folder ", path,
                                    found.ok() ? absl::StrCat(" holds ", what, " of other settings")
                                               : absl::StrCat(" is not empty and holds no complete set of ", what),
                                    ". Remove it or give another --out."));
}

absl::Status SetFolder::WritePicture(const std::string& name, const std::string& content) const {
  const std::string whole = absl::StrCat(path, "/", name);
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(whole).parent_path(), error);
  std::ofstream out(whole, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (out) return absl::OkStatus();
  return base::Error(absl::StatusCode::kUnavailable, "FILE_NOT_WRITTEN",
                     absl::StrCat("file ", whole, " could not be written. Check the disk's free space."));
}

absl::Status SetFolder::Finish(const std::vector<std::pair<std::string, std::string>>& tables) const {
  for (const auto& [name, content] : tables) {
    SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(absl::StrCat(path, "/", name), content));
  }
  return base::WriteFileDurably(absl::StrCat(path, "/", file), settings);
}

absl::Status CheckOutIsGiven(const std::string& directory) {
  if (!directory.empty()) return absl::OkStatus();
  return base::InvalidArgument("SETTING_MISSING", "no folder to write to is given. Add --out DIR.");
}

absl::Status CheckSetting(absl::string_view name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return base::InvalidArgument(
      "SETTING_OUT_OF_RANGE",
      absl::StrCat("--", name, " is ", value, "; it must be ", low, " to ", high, ". Give a value in that range."),
      {{"limit", absl::StrCat(high)}, {"actual", absl::StrCat(value)}});
}

absl::Status CheckShare(absl::string_view name, double value, double most, absl::string_view advice) {
  if (value >= 0 && value <= most) return absl::OkStatus();
  return base::InvalidArgument("SETTING_OUT_OF_RANGE",
                               absl::StrCat("--", name, " is ", value, "; it must be 0 to ", most, ". ", advice),
                               {{"limit", absl::StrCat(most)}, {"actual", absl::StrCat(value)}});
}

}  // namespace sightline::scene
