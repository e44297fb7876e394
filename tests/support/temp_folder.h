// TempFolder: a new folder under the system's temporary folder, removed with all it holds.
//
// Threading: one thread. Failure: the test stops.
#ifndef SIGHTLINE_TESTS_SUPPORT_TEMP_FOLDER_H_
#define SIGHTLINE_TESTS_SUPPORT_TEMP_FOLDER_H_

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace sightline::testing {

// In memory where the system has such a folder: for tests that make thousands of small databases, and for which the
// disk's own syncs prove nothing.
inline std::filesystem::path FastFolder() {
  std::error_code error;
  const std::filesystem::path memory = "/dev/shm";
  return std::filesystem::is_directory(memory, error) && ::access(memory.c_str(), W_OK) == 0
             ? memory
             : std::filesystem::temp_directory_path();
}

class TempFolder {
 public:
  TempFolder() : TempFolder(std::filesystem::temp_directory_path()) {}
  // Under another folder than the system's temporary one.
  explicit TempFolder(const std::filesystem::path& parent) : path_((parent / "sightline.XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("cannot create " + path_);
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  // The path of `name` inside it.
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_TEMP_FOLDER_H_
