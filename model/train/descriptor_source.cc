#include "model/train/descriptor_source.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "model/train/export_reader.h"
#include "model/train/image_folder.h"
#include "model/weights/safetensors.h"
#include "model/weights/strict_json.h"

namespace sightline::train {
namespace {

using nlohmann::json;

// The value of an attribute of every record, as JSON text.
absl::StatusOr<std::vector<std::string>> RecordGroups(absl::string_view records, int64_t count,
                                                      const std::string& attribute, const ExportReader& file) {
  std::vector<std::string> groups;
  for (const absl::string_view line : absl::StrSplit(records, '\n', absl::SkipEmpty())) {
    SIGHTLINE_ASSIGN_OR_RETURN(const json record, weights::ParseStrictJson(line, "a record", {}));
    const auto attributes = record.find("attributes");
    const bool has = record.is_object() && attributes != record.end() && attributes->is_object();
    groups.push_back(has && attributes->contains(attribute) ? (*attributes)[attribute].dump() : "");
  }
  if (static_cast<int64_t>(groups.size()) == count) return groups;
  return file.Invalid(absl::StrCat("has ", groups.size(), " records for ", count, " descriptors"));
}

}  // namespace

absl::StatusOr<DescriptorSource> EmbedFolder(model::Model& model, const std::string& folder, int64_t most) {
  DescriptorSource source;
  const auto add = [&](const std::filesystem::path& file, const model::Embedding& embedding) {
    source.embedded.insert(source.embedded.end(), embedding.descriptor.begin(), embedding.descriptor.end());
    // Files of the folder itself are of no group: it holds everything.
    source.groups.push_back(file.parent_path().lexically_relative(folder).string());
    if (source.groups.back() == ".") source.groups.back().clear();
  };
  SIGHTLINE_ASSIGN_OR_RETURN(const FolderCounts counts, EmbedEach(model, folder, most, add));
  source.skipped = counts.skipped;
  source.descriptors = {
      .count = static_cast<int64_t>(source.groups.size()),
      .dim = model.info().descriptor_dim,
      .bytes = {reinterpret_cast<const char*>(source.embedded.data()), source.embedded.size() * sizeof(float)}};
  return source;
}

absl::StatusOr<DescriptorSource> ReadExport(const model::ModelInfo& model, const std::string& path,
                                            const std::string& group_by) {
  DescriptorSource source;
  SIGHTLINE_ASSIGN_OR_RETURN(ExportReader file, ExportReader::Open(path));
  SIGHTLINE_RETURN_IF_ERROR(file.CheckSpace("embedding_space", model.embedding_space, model.name));
  const weights::TensorView* const descriptors = file.Find("descriptors");
  if (descriptors == nullptr || descriptors->dtype != weights::DType::kF32 || descriptors->shape.size() != 2 ||
      descriptors->shape[1] != model.descriptor_dim) {
    return file.Invalid(absl::StrCat("holds no descriptors of ", model.descriptor_dim, " values"));
  }
  source.descriptors = {.count = descriptors->shape[0], .dim = descriptors->shape[1], .bytes = descriptors->bytes};
  source.groups.resize(static_cast<size_t>(source.descriptors.count));
  source.file = file.mapped();
  if (group_by.empty()) return source;
  const weights::TensorView* const records = file.Find("records");
  if (records == nullptr) return file.Invalid("holds no records");
  SIGHTLINE_ASSIGN_OR_RETURN(source.groups, RecordGroups(records->bytes, source.descriptors.count, group_by, file));
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
