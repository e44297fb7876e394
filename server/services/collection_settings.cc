#include "server/services/collection_settings.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "server/convert.h"

namespace sightline::server {
namespace {

constexpr absl::string_view kAll = "*";
constexpr char kChangeable[] = "keep_image, index_kind, drop_tokens, device, description";
constexpr std::array<absl::string_view, 5> kTaken = {"keep_image", "index_kind", "drop_tokens", "device",
                                                     "description"};
constexpr std::array<absl::string_view, 4> kFixed = {"descriptor_precision", "hnsw_m", "hnsw_ef_construction",
                                                     "ivf_lists"};
constexpr size_t kShownPath = 64;

absl::Status Fixed(absl::string_view setting) {
  return base::InvalidArgument(
      "SETTING_FIXED",
      absl::StrCat(setting, " is decided when a collection is created; what can be changed is ", kChangeable,
                   ". Leave it out, or index into a new collection and move an alias there."),
      {{"field", "update_mask"}, {"actual", std::string(setting)}, {"limit", kChangeable}});
}

// With "*": what cannot be changed may be repeated, not contradicted.
absl::Status CheckFixed(const v1::CollectionSettings& settings, const index::CollectionConfig& asked,
                        const index::CollectionConfig& config) {
  using S = v1::CollectionSettings;
  if (settings.descriptor_precision() != S::DESCRIPTOR_PRECISION_UNSPECIFIED &&
      asked.descriptor_precision != config.descriptor_precision) {
    return Fixed("descriptor_precision");
  }
  if (asked.hnsw_m != 0 && asked.hnsw_m != config.hnsw_m) return Fixed("hnsw_m");
  if (asked.hnsw_ef_construction != 0 && asked.hnsw_ef_construction != config.hnsw_ef_construction) {
    return Fixed("hnsw_ef_construction");
  }
  if (asked.ivf_lists != 0 && asked.ivf_lists != config.ivf_lists) return Fixed("ivf_lists");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<index::SettingsChange> ReadSettingsChange(const v1::UpdateCollectionRequest& message,
                                                         const index::CollectionConfig& config) {
  if (message.update_mask().paths().empty()) {
    return base::InvalidArgument("UPDATE_MASK_MISSING",
                                 absl::StrCat("update_mask names no setting, so that there is nothing to change. Name "
                                              "some of ",
                                              kChangeable, ", or '*' for all of them."),
                                 {{"field", "update_mask"}, {"limit", kChangeable}});
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const index::CollectionConfig asked, FromProto(message.settings()));
  index::SettingsChange change;
  for (absl::string_view path : message.update_mask().paths()) {
    const bool all = path == kAll;
    absl::ConsumePrefix(&path, "settings.");
    if (all) SIGHTLINE_RETURN_IF_ERROR(CheckFixed(message.settings(), asked, config));
    if (all || path == "keep_image") change.keep_image = asked.keep_image;
    if (all || path == "index_kind") change.index_kind = asked.index_kind;
    if (all || path == "drop_tokens") change.drop_tokens = asked.drop_tokens;
    if (all || path == "device") change.device = asked.device;
    if (all || path == "description") change.description = asked.description;
    if (all || std::find(kTaken.begin(), kTaken.end(), path) != kTaken.end()) continue;
    if (std::find(kFixed.begin(), kFixed.end(), path) != kFixed.end()) return Fixed(path);
    const std::string shown = absl::CHexEscape(path.substr(0, kShownPath));
    return base::InvalidArgument(
        "UPDATE_MASK_UNKNOWN",
        absl::StrCat("update_mask names '", shown, "', which is no setting of a collection. Name some of ", kChangeable,
                     ", or '*' for all of them."),
        {{"field", "update_mask"}, {"actual", shown}, {"limit", kChangeable}});
  }
  return change;
}

}  // namespace sightline::server
