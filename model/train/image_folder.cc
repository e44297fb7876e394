#include "model/train/image_folder.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "model/image/decode.h"

namespace sightline::train {
namespace {

// Paths of the regular files below `folder`, sorted; of more than `most`, evenly spread ones.
absl::StatusOr<std::vector<std::filesystem::path>> FilesBelow(const std::string& folder, int64_t most) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_regular_file(error)) files.push_back(entry->path());
  }
  if (error) {
    return base::InvalidArgument(
        "FOLDER_UNREADABLE",
        absl::StrCat("folder ", folder, " cannot be read: ", error.message(), ". Name a folder of images."));
  }
  std::sort(files.begin(), files.end());
  const auto wanted = static_cast<size_t>(most);
  if (files.size() <= wanted) return files;
  for (size_t i = 0; i < wanted; ++i) files[i] = files[i * files.size() / wanted];
  files.resize(wanted);
  return files;
}

absl::StatusOr<model::Embedding> EmbedFile(model::Model& model, const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path, image::Limits().max_encoded_bytes));
  SIGHTLINE_ASSIGN_OR_RETURN(const image::Header header, image::ReadHeader(bytes, {}));
  // Orientations from 5 on turn an image by a quarter.
  const bool turned = header.orientation >= 5;
  const int side =
      turned ? model.wanted_side(header.height, header.width) : model.wanted_side(header.width, header.height);
  SIGHTLINE_ASSIGN_OR_RETURN(const image::Image image, image::Decode(bytes, {}, {.wanted_side = side}));
  SIGHTLINE_ASSIGN_OR_RETURN(const model::PreparedImage prepared, model.Prepare(image, std::nullopt));
  const model::PreparedImage* const batch[] = {&prepared};
  SIGHTLINE_ASSIGN_OR_RETURN(std::vector<model::Embedding> embeddings, model.Embed(batch));
  return std::move(embeddings.front());
}

}  // namespace

absl::StatusOr<FolderCounts> EmbedEach(model::Model& model, const std::string& folder, int64_t most,
                                       absl::FunctionRef<void(const std::filesystem::path&, model::Embedding)> use) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> files, FilesBelow(folder, most));
  FolderCounts counts;
  for (size_t i = 0; i < files.size(); ++i) {
    absl::StatusOr<model::Embedding> embedding = EmbedFile(model, files[i].string());
    if (embedding.ok()) {
      ++counts.images;
      use(files[i], *std::move(embedding));
    } else if (embedding.status().code() == absl::StatusCode::kInternal) {
      return embedding.status();
    } else {
      ++counts.skipped;
    }
    constexpr size_t kReportEvery = 100;
    if ((i + 1) % kReportEvery == 0) std::fprintf(stderr, "embedded %zu of %zu files\n", i + 1, files.size());
  }
  return counts;
}

}  // namespace sightline::train
