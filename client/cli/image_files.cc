#include "client/cli/image_files.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "client/cli/glob.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

namespace fs = std::filesystem;

bool IsImageName(const fs::path& path) {
  const std::string extension = absl::AsciiStrToLower(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".webp";
}

FoundFile CannotRead(const std::string& path, const std::error_code& error) {
  return {.file = {.path = path, .id = ""},
          .problem = base::Error(absl::StatusCode::kNotFound, "FILE_UNREADABLE",
                                 absl::StrCat("cannot read ", Printable(path), ": ", error.message(),
                                              ". Check the path and its permissions."),
                                 {{"path", Printable(path)}})};
}

}  // namespace

uint64_t IdHash(absl::string_view id) { return absl::HashOf(id); }

FileWalk::FileWalk(std::vector<std::string> operands, WalkOptions options)
    : operands_(std::move(operands)), options_(std::move(options)) {}

std::optional<FoundFile> FileWalk::Next() {
  while (true) {
    if (folders_.empty()) {
      if (next_operand_ == operands_.size()) return std::nullopt;
      if (auto found = NextOperand()) return found;
      continue;
    }
    Folder& folder = folders_.back();
    if (folder.names.empty()) {
      folders_.pop_back();
      continue;
    }
    const std::string entry =
        absl::StrCat(folder.path, absl::EndsWith(folder.path, "/") ? "" : "/", folder.names.back());
    const bool hidden = folder.names.back()[0] == '.';
    folder.names.pop_back();
    if (hidden && !options_.hidden) continue;
    const std::string name = entry.substr(root_bytes_);
    if (AnyGlobMatches(options_.exclude, name)) continue;
    std::error_code ignored;
    if (fs::is_directory(fs::symlink_status(entry, ignored))) {
      if (auto found = Enter(entry)) return found;
    } else if (IsImageName(entry) && fs::is_regular_file(fs::status(entry, ignored)) &&
               (options_.include.empty() || AnyGlobMatches(options_.include, name))) {
      return Found(entry, name);
    }
  }
}

std::optional<FoundFile> FileWalk::NextOperand() {
  const std::string& operand = operands_[next_operand_++];
  std::error_code error;
  const fs::file_status status = fs::status(operand, error);
  if (!fs::exists(status)) {
    if (!error) error = std::make_error_code(std::errc::no_such_file_or_directory);
    return CannotRead(operand, error);
  }
  if (!fs::is_directory(status)) return Found(operand, fs::path(operand).lexically_normal().generic_string());
  root_bytes_ = operand.size() + (absl::EndsWith(operand, "/") ? 0 : 1);
  return Enter(operand);
}

// By hand and not by recursive_directory_iterator: one folder that cannot be opened must not end the walk.
std::optional<FoundFile> FileWalk::Enter(const std::string& path) {
  std::error_code error;
  Folder folder{.path = path, .names = {}};
  fs::directory_iterator it(path, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    folder.names.push_back(it->path().filename().string());
  }
  std::sort(folder.names.begin(), folder.names.end(), std::greater<>());
  folders_.push_back(std::move(folder));
  if (error) return CannotRead(path, error);
  return std::nullopt;
}

FoundFile FileWalk::Found(const std::string& path, const std::string& name) {
  FoundFile found{.file = {.path = path, .id = options_.id_prefix + name, .name = name}, .problem = absl::OkStatus()};
  if (Printable(found.file.id) != found.file.id) {
    found.problem = base::InvalidArgument(
        "INVALID_ID",
        absl::StrCat("the name ", Printable(path), " is not UTF-8 without control characters. Rename the file."),
        {{"path", Printable(path)}});
  } else if (!ids_.insert(IdHash(found.file.id)).second) {
    found.problem = base::InvalidArgument("DUPLICATE_ID",
                                          absl::StrCat("the id \"", found.file.id,
                                                       "\" belongs to another file of this run. Index the folders one "
                                                       "by one with an --id_prefix each."),
                                          {{"id", found.file.id}});
  }
  return found;
}

ImageFiles FindImageFiles(const std::vector<std::string>& operands, const std::string& id_prefix) {
  ImageFiles all;
  FileWalk walk(operands, {.id_prefix = id_prefix});
  while (auto found = walk.Next()) {
    if (found->problem.ok()) {
      all.files.push_back(std::move(found->file));
    } else {
      all.problems.emplace_back(found->file.path, found->problem);
    }
  }
  return all;
}

}  // namespace sightline::cli
