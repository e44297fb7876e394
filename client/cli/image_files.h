// FileWalk: the image files of folders, one after another, and the ids they get.
//
// A folder gives every .jpg, .jpeg, .png and .webp file in it, at any depth, sorted; its ids are paths relative to the
// folder. Hidden files and folders (a dot in front) are left out. Symbolic links to files are followed, those to
// folders are not, so that no loop can arise. A file named itself is taken whatever its name, and its id is its path as
// given.
//
// A walk holds the names of the folders it stands in and eight bytes of every id, not the files: a million files walk
// in some tens of megabytes.
//
// Threading: one thread at a time. Failure: per file, in FoundFile::problem.
//
//   FileWalk walk({"photos"}, {.exclude = {"drafts/**"}});
//   while (auto found = walk.Next()) ...
#ifndef SIGHTLINE_CLIENT_CLI_IMAGE_FILES_H_
#define SIGHTLINE_CLIENT_CLI_IMAGE_FILES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sightline::cli {

struct ImageFile {
  std::string path;
  std::string id;
  std::string name = {};  // the id without its prefix: the path relative to the folder
};

struct FoundFile {
  ImageFile file;        // with a problem: the path alone
  absl::Status problem;  // missing, unreadable, a name that is no id, an id that another file has already
};

struct WalkOptions {
  std::string id_prefix = {};
  std::vector<std::string> include = {};  // globs (glob.h); with some, only what one of them matches
  std::vector<std::string> exclude = {};  // a folder that one of them matches is not entered
  bool hidden = false;                    // hidden files and folders too
};

// Stands for an id where a million of them are kept.
uint64_t IdHash(absl::string_view id);

class FileWalk {
 public:
  FileWalk(std::vector<std::string> operands, WalkOptions options);

  std::optional<FoundFile> Next();

 private:
  struct Folder {
    std::string path;
    std::vector<std::string> names;  // sorted backwards, so that the next is at the end
  };

  FoundFile Found(const std::string& path, const std::string& name);
  std::optional<FoundFile> NextOperand();
  std::optional<FoundFile> Enter(const std::string& path);

  const std::vector<std::string> operands_;
  const WalkOptions options_;
  size_t next_operand_ = 0;
  size_t root_bytes_ = 0;        // of the path of the operand that is walked, with its slash
  std::vector<Folder> folders_;  // from that operand down to where the walk is
  absl::flat_hash_set<uint64_t> ids_;
};

struct ImageFiles {
  std::vector<ImageFile> files;
  std::vector<std::pair<std::string, absl::Status>> problems;  // by path
};

// All at once, for few.
ImageFiles FindImageFiles(const std::vector<std::string>& operands, const std::string& id_prefix);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_IMAGE_FILES_H_
