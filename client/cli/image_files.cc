#include "client/cli/image_files.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

namespace fs = std::filesystem;

bool IsImageName(const fs::path& path) {
  const std::string extension = absl::AsciiStrToLower(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".webp";
}

absl::Status CannotRead(const std::string& path, const std::error_code& error) {
  return base::Error(
      absl::StatusCode::kNotFound, "FILE_UNREADABLE",
      absl::StrCat("cannot read ", Printable(path), ": ", error.message(), ". Check the path and its permissions."),
      {{"path", path}});
}

class Finder {
 public:
  explicit Finder(const std::string& id_prefix) : id_prefix_(id_prefix) {}

  void AddOperand(const std::string& operand) {
    std::error_code error;
    const fs::file_status status = fs::status(operand, error);
    if (!fs::exists(status)) {
      if (!error) error = std::make_error_code(std::errc::no_such_file_or_directory);
      found_.problems.emplace_back(operand, CannotRead(operand, error));
    } else if (fs::is_directory(status)) {
      AddFolder(operand, operand);
    } else {
      Add(operand, fs::path(operand).lexically_normal().generic_string());
    }
  }

  ImageFiles Take() { return std::move(found_); }

 private:
  // By hand and not by recursive_directory_iterator: one folder that cannot be opened must not end the walk.
  void AddFolder(const fs::path& folder, const fs::path& root) {
    std::error_code error;
    std::vector<fs::path> entries;
    fs::directory_iterator it(folder, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) entries.push_back(it->path());
    if (error) found_.problems.emplace_back(folder.string(), CannotRead(folder.string(), error));
    std::sort(entries.begin(), entries.end());
    for (const fs::path& entry : entries) {
      std::error_code ignored;
      if (fs::is_directory(fs::symlink_status(entry, ignored))) {
        AddFolder(entry, root);
      } else if (IsImageName(entry) && fs::is_regular_file(fs::status(entry, ignored))) {
        Add(entry.string(), entry.lexically_relative(root).generic_string());
      }
    }
  }

  void Add(const std::string& path, const std::string& name) {
    const std::string id = id_prefix_ + name;
    if (Printable(id) != id) {
      found_.problems.emplace_back(
          path, base::InvalidArgument("INVALID_ID",
                                      absl::StrCat("the name ", Printable(path),
                                                   " is not UTF-8 without control characters. Rename the file."),
                                      {{"path", Printable(path)}}));
    } else if (!ids_.insert(id).second) {
      found_.problems.emplace_back(
          path,
          base::InvalidArgument("DUPLICATE_ID",
                                absl::StrCat("the id \"", id,
                                             "\" belongs to another file of this run. Index the folders one by one "
                                             "with an --id_prefix each."),
                                {{"id", id}}));
    } else {
      found_.files.push_back({path, id});
    }
  }

  const std::string& id_prefix_;
  std::set<std::string> ids_;
  ImageFiles found_;
};

}  // namespace

ImageFiles FindImageFiles(const std::vector<std::string>& operands, const std::string& id_prefix) {
  Finder finder(id_prefix);
  for (const std::string& operand : operands) finder.AddOperand(operand);
  return finder.Take();
}

}  // namespace sightline::cli
