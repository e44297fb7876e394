#include "model/train/data/layout.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status.h"
#include "model/train/data/draw.h"
#include "model/train/scene/random.h"

namespace sightline::train {
namespace {

constexpr int64_t kMaxListBytes = int64_t{2} << 30;  // GLDv2's train.csv has half a gigabyte

// Which classes stay: those of enough photographs, less as many as max_photos asks to drop.
std::vector<bool> KeptClasses(const Dataset& dataset, const DatasetConfig& config) {
  std::vector<int64_t> counts(dataset.classes.size(), 0);
  for (const Photo& photo : dataset.photos) ++counts[static_cast<size_t>(photo.label)];
  std::vector<bool> kept(counts.size());
  int64_t total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    kept[i] = counts[i] >= config.min_per_class;
    if (kept[i]) total += counts[i];
  }
  if (config.max_photos == 0) return kept;
  std::vector<size_t> order;
  for (size_t i = 0; i < counts.size(); ++i) order.push_back(i);
  scene::Random random(1);
  Shuffle(order, random);
  for (const size_t i : order) {
    if (total <= config.max_photos) break;
    if (kept[i]) total -= counts[i];
    kept[i] = false;
  }
  return kept;
}

}  // namespace

void DatasetBuilder::Add(Photo photo, absl::string_view class_name) {
  const auto [found, added] = labels_.try_emplace(class_name, static_cast<int64_t>(dataset_.classes.size()));
  if (added) dataset_.classes.emplace_back(class_name);
  photo.label = found->second;
  dataset_.photos.push_back(std::move(photo));
}

absl::StatusOr<Dataset> DatasetBuilder::Finish(const DatasetConfig& config) && {
  const size_t found = dataset_.photos.size();
  const std::vector<bool> kept = KeptClasses(dataset_, config);
  Dataset result;
  std::vector<int64_t> labels(kept.size(), 0);
  for (size_t i = 0; i < kept.size(); ++i) {
    if (!kept[i]) continue;
    labels[i] = static_cast<int64_t>(result.classes.size());
    result.classes.push_back(std::move(dataset_.classes[i]));
  }
  for (Photo& photo : dataset_.photos) {
    const auto label = static_cast<size_t>(photo.label);
    if (!kept[label]) continue;
    photo.label = labels[label];
    result.photos.push_back(std::move(photo));
  }
  if (result.photos.empty()) {
    const std::string left_out = found == 0
                                     ? ""
                                     : absl::StrCat(" (", found, " left out by min_per_class ", config.min_per_class,
                                                    " and max_photos ", config.max_photos, ")");
    return base::InvalidArgument("DATASET_EMPTY",
                                 absl::StrCat("there are no photographs in ", config.root, left_out,
                                              ". Name a folder of the layout that is configured."),
                                 {{"root", config.root}});
  }
  return result;
}

absl::StatusOr<ListFile> ReadList(const DatasetConfig& config, absl::string_view usual_name) {
  const std::string name = config.list.empty() ? std::string(usual_name) : config.list;
  const std::filesystem::path root(config.root);
  std::error_code error;
  std::filesystem::path path = root / name;
  if (!std::filesystem::exists(path, error)) {
    // "photos/" has an empty last part; its parent would be "photos".
    const std::filesystem::path beside = (root.has_filename() ? root : root.parent_path()).parent_path() / name;
    if (std::filesystem::exists(beside, error)) path = beside;
  }
  SIGHTLINE_ASSIGN_OR_RETURN(std::string text, base::ReadFile(path.string(), kMaxListBytes));
  return ListFile{path.string(), std::move(text)};
}

absl::StatusOr<ListFile> ReadBelow(const DatasetConfig& config, absl::string_view name) {
  const std::string path = Below(config, name);
  SIGHTLINE_ASSIGN_OR_RETURN(std::string text, base::ReadFile(path, kMaxListBytes));
  return ListFile{path, std::move(text)};
}

std::string Below(const DatasetConfig& config, absl::string_view relative) {
  return absl::StrCat(config.root, absl::EndsWith(config.root, "/") ? "" : "/", relative);
}

bool IsPictureName(absl::string_view name) {
  for (const absl::string_view ending : {".jpg", ".jpeg", ".png", ".webp"}) {
    if (absl::EndsWithIgnoreCase(name, ending)) return true;
  }
  return false;
}

bool IsPlainId(absl::string_view id, size_t least, size_t most) {
  if (id.size() < least || id.size() > most) return false;
  return std::all_of(id.begin(), id.end(),
                     [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; });
}

absl::Status CheckSplit(const DatasetConfig& config, absl::Span<const absl::string_view> splits) {
  if (config.split.empty() || std::find(splits.begin(), splits.end(), config.split) != splits.end()) {
    return absl::OkStatus();
  }
  const std::string choices =
      splits.empty() ? "this layout has none. Leave it empty."
                     : absl::StrCat("it must be one of ", absl::StrJoin(splits, ", "), ", or empty. Set one of these.");
  return base::InvalidArgument("INVALID_SPLIT", absl::StrCat("split is \"", config.split, "\"; ", choices),
                               {{"field", "split"}});
}

bool InHalf(absl::string_view split, int64_t label, int64_t classes) {
  return split.empty() || (split == "train") == (label <= classes / 2);
}

}  // namespace sightline::train
