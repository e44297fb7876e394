// Files of layouts for tests.
//
// Threading: one thread. Failure: the test stops.
#ifndef SIGHTLINE_TESTS_MODEL_TRAIN_DATA_LAYOUT_FILES_H_
#define SIGHTLINE_TESTS_MODEL_TRAIN_DATA_LAYOUT_FILES_H_

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "absl/strings/string_view.h"

namespace sightline::train {

// Writes a file and the folders above it.
inline void WriteBelow(const std::string& root, absl::string_view name, absl::string_view content) {
  const std::filesystem::path path = std::filesystem::path(root) / std::string(name);
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace sightline::train

#endif  // SIGHTLINE_TESTS_MODEL_TRAIN_DATA_LAYOUT_FILES_H_
