#include "model/train/run/architecture_file.h"

#include <cstdint>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace sightline::train {
namespace {

constexpr int64_t kMostModelText = 1 << 20;

}  // namespace

absl::StatusOr<std::string> FindArchitecture(const std::string& name, const std::string& zoo) {
  std::error_code error;
  const std::string in_zoo = absl::StrCat(zoo, "/", name, "/model.json");
  const bool plain = !absl::StrContains(name, '/') && !absl::EndsWith(name, ".json");
  if (plain && std::filesystem::exists(in_zoo, error)) return in_zoo;
  const std::string path = std::filesystem::is_directory(name, error) ? absl::StrCat(name, "/model.json") : name;
  if (std::filesystem::exists(path, error)) return path;
  const std::string tried = plain ? absl::StrCat(path, " and no ", in_zoo) : path;
  return base::InvalidArgument(
      "MODEL_NOT_FOUND",
      absl::StrCat("there is no ", tried, ". Name a folder of the zoo ", zoo, " or the path of a model.json."),
      {{"path", plain ? in_zoo : path}});
}

absl::StatusOr<std::string> ReadArchitecture(const std::string& name, const std::string& zoo) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string path, FindArchitecture(name, zoo));
  return base::ReadFile(path, kMostModelText);
}

}  // namespace sightline::train
