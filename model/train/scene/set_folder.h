// SetFolder: a folder that a generator fills with pictures, once. A file with the settings is written last, so that its
// presence means a complete folder, and its content which one.
//
// Threading: Begin and Finish are for one thread; WritePicture may be called on several. Two runs into one folder at a
// time are the caller's fault. Failure: FAILED_PRECONDITION with reason FOLDER_IN_USE for a folder that holds something
// else; the file system's errors.
//
//   const SetFolder folder{.path = "made", .file = "scenes.json", .settings = text, .what = "scenes"};
//   SIGHTLINE_ASSIGN_OR_RETURN(const bool complete, folder.Begin());
//   if (complete) return ...;
//   SIGHTLINE_RETURN_IF_ERROR(folder.WritePicture("index/0.jpg", jpeg));
//   return folder.Finish({{"labels.csv", labels}});
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_SET_FOLDER_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_SET_FOLDER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::scene {

struct SetFolder {
  std::string path;
  std::string file;      // of the settings: "scenes.json"
  std::string settings;  // its content
  std::string what;      // for messages: "scenes"

  // True when the folder holds a complete run with these settings; nothing is to be written then. Otherwise the folder
  // is there and empty.
  absl::StatusOr<bool> Begin() const;
  // Not synced one by one: a set can be made again. `name` is relative to the folder.
  absl::Status WritePicture(const std::string& name, const std::string& content) const;
  // Writes `tables`, names and contents, and then the settings.
  absl::Status Finish(const std::vector<std::pair<std::string, std::string>>& tables) const;
};

// Checks of settings: INVALID_ARGUMENT that names the flag.
absl::Status CheckOutIsGiven(const std::string& directory);
absl::Status CheckSetting(absl::string_view name, int64_t value, int64_t low, int64_t high);
// 0 to `most`. `advice` is a sentence.
absl::Status CheckShare(absl::string_view name, double value, double most, absl::string_view advice);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_SET_FOLDER_H_
