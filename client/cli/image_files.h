// ImageFiles: the files that `index` was asked for, and the ids they get.
//
// A folder gives every .jpg, .jpeg, .png and .webp file in it, at any depth, sorted; its ids are paths relative to the
// folder. Symbolic links to files are followed, those to folders are not, so that no loop can arise. A file named
// itself is taken whatever its name, and its id is its path as given.
//
// Threading: pure functions of the file system. Failure: per file, in ImageFiles::problems.
#ifndef SIGHTLINE_CLIENT_CLI_IMAGE_FILES_H_
#define SIGHTLINE_CLIENT_CLI_IMAGE_FILES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace sightline::cli {

struct ImageFile {
  std::string path;
  std::string id;
};

struct ImageFiles {
  std::vector<ImageFile> files;
  // Paths that cannot be indexed: missing, unreadable, a name that is no id, an id that another file has already.
  std::vector<std::pair<std::string, absl::Status>> problems;
};

ImageFiles FindImageFiles(const std::vector<std::string>& operands, const std::string& id_prefix);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_IMAGE_FILES_H_
