// A folder that goes away with the test.
#ifndef SIGHTLINE_TESTS_MODEL_TRAIN_SCENE_TEMPORARY_FOLDER_H_
#define SIGHTLINE_TESTS_MODEL_TRAIN_SCENE_TEMPORARY_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace sightline::scene {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sightline-scene-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace sightline::scene

#endif  // SIGHTLINE_TESTS_MODEL_TRAIN_SCENE_TEMPORARY_FOLDER_H_
