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

absl::StatusOr<std::string> ReadArchitecture(const std::string& name, const std::string& zoo) {
  std::error_code error;
  std::string path = name;
  if (!absl::EndsWith(path, ".json")) {
    if (!std::filesystem::is_directory(path, error)) path = absl::StrCat(zoo, "/", path);
    absl::StrAppend(&path, "/model.json");
  }
  if (!std::filesystem::exists(path, error)) {
    return base::InvalidArgument(
        "MODEL_NOT_FOUND",
        absl::StrCat("there is no ", path, ", which the configuration names. Give a folder of the zoo ", zoo,
                     " or the path of a model.json."),
        {{"path", path}});
  }
  return base::ReadFile(path, kMostModelText);
}

}  // namespace sightline::train
