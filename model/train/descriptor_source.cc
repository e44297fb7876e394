#include "model/train/descriptor_source.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "model/weights/safetensors.h"
#include "model/weights/strict_json.h"

namespace sightline::train {
namespace {

using nlohmann::json;

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

absl::StatusOr<std::vector<float>> EmbedFile(model::Model& model, const std::string& path) {
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
  return std::move(embeddings.front().descriptor);
}

absl::Status NoExport(const std::string& path, absl::string_view what) {
  return base::InvalidArgument("EXPORT_INVALID",
                               absl::StrCat(path, " ", what, ". Give a file written by `sightline export`."));
}

// The value of an attribute of every record, as JSON text.
absl::StatusOr<std::vector<std::string>> RecordGroups(absl::string_view records, int64_t count,
                                                      const std::string& attribute, const std::string& path) {
  std::vector<std::string> groups;
  for (const absl::string_view line : absl::StrSplit(records, '\n', absl::SkipEmpty())) {
    SIGHTLINE_ASSIGN_OR_RETURN(const json record, weights::ParseStrictJson(line, "a record", {}));
    const auto attributes = record.find("attributes");
    const bool has = record.is_object() && attributes != record.end() && attributes->is_object();
    groups.push_back(has && attributes->contains(attribute) ? (*attributes)[attribute].dump() : "");
  }
  if (static_cast<int64_t>(groups.size()) == count) return groups;
  return NoExport(path, absl::StrCat("has ", groups.size(), " records for ", count, " descriptors"));
}

}  // namespace

absl::StatusOr<DescriptorSource> EmbedFolder(model::Model& model, const std::string& folder, int64_t most) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> files, FilesBelow(folder, most));
  DescriptorSource source;
  for (size_t i = 0; i < files.size(); ++i) {
    const auto descriptor = EmbedFile(model, files[i].string());
    if (descriptor.ok()) {
      source.embedded.insert(source.embedded.end(), descriptor->begin(), descriptor->end());
      // Files of the folder itself are of no group: it holds everything.
      source.groups.push_back(files[i].parent_path().lexically_relative(folder).string());
      if (source.groups.back() == ".") source.groups.back().clear();
    } else if (descriptor.status().code() == absl::StatusCode::kInternal) {
      return descriptor.status();
    } else {
      ++source.skipped;
    }
    constexpr size_t kReportEvery = 100;
    if ((i + 1) % kReportEvery == 0) std::fprintf(stderr, "embedded %zu of %zu files\n", i + 1, files.size());
  }
  source.descriptors = {
      .count = static_cast<int64_t>(source.groups.size()),
      .dim = model.info().descriptor_dim,
      .bytes = {reinterpret_cast<const char*>(source.embedded.data()), source.embedded.size() * sizeof(float)}};
  return source;
}

absl::StatusOr<DescriptorSource> ReadExport(const model::ModelInfo& model, const std::string& path,
                                            const std::string& group_by) {
  DescriptorSource source;
  SIGHTLINE_ASSIGN_OR_RETURN(source.file, base::MappedFile::Open(path, std::numeric_limits<int64_t>::max()));
  SIGHTLINE_ASSIGN_OR_RETURN(const weights::Safetensors file, weights::ParseSafetensors(source.file->bytes(), {}));
  const auto space = file.metadata.find("embedding_space");
  if (!file.metadata.contains("sightline_export") || space == file.metadata.end()) {
    return NoExport(path, "does not say that it is an exported collection");
  }
  if (space->second != model.embedding_space) {
    return base::FailedPrecondition(
        "SPACE_MISMATCH",
        absl::StrCat(path, " was made in the embedding space ", weights::Quoted(space->second), "; model ", model.name,
                     " makes ", model.embedding_space, ". Name the model that the collection uses."));
  }
  const auto find = [&file](absl::string_view name) {
    return std::find_if(file.tensors.begin(), file.tensors.end(), [name](const auto& t) { return t.name == name; });
  };
  const auto descriptors = find("descriptors");
  if (descriptors == file.tensors.end() || descriptors->dtype != weights::DType::kF32 ||
      descriptors->shape.size() != 2 || descriptors->shape[1] != model.descriptor_dim) {
    return NoExport(path, absl::StrCat("holds no descriptors of ", model.descriptor_dim, " values"));
  }
  source.descriptors = {.count = descriptors->shape[0], .dim = descriptors->shape[1], .bytes = descriptors->bytes};
  source.groups.resize(static_cast<size_t>(source.descriptors.count));
  if (group_by.empty()) return source;
  const auto records = find("records");
  if (records == file.tensors.end()) return NoExport(path, "holds no records");
  SIGHTLINE_ASSIGN_OR_RETURN(source.groups, RecordGroups(records->bytes, source.descriptors.count, group_by, path));
  return source;
}

std::vector<Pair> GroupPairs(const std::vector<std::string>& groups) {
  // A group of hundreds would outweigh all others with every pair of it.
  constexpr size_t kMostPartners = 8;
  std::map<std::string, std::vector<int64_t>> members;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (!groups[i].empty()) members[groups[i]].push_back(static_cast<int64_t>(i));
  }
  std::vector<Pair> pairs;
  for (const auto& [group, rows] : members) {
    for (size_t i = 0; i < rows.size(); ++i) {
      const size_t end = std::min(rows.size(), i + 1 + kMostPartners);
      for (size_t j = i + 1; j < end; ++j) pairs.emplace_back(rows[i], rows[j]);
    }
  }
  return pairs;
}

}  // namespace sightline::train
