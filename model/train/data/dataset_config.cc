#include "model/train/data/dataset_config.h"

#include <array>

#include "base/status.h"

namespace sightline::train {
namespace {

constexpr std::array<absl::string_view, 10> kLayouts = {"folders",  "csv", "gldv2", "gldv1", "sfm120k",
                                                        "nc_clean", "cub", "cars",  "sop",   "msls"};
constexpr size_t kMaxPath = 4096;
constexpr int64_t kMaxPhotos = 1'000'000'000;
constexpr double kMaxMetres = 10'000;

}  // namespace

absl::StatusOr<DatasetConfig> DatasetConfig::Parse(model::Fields& fields) {
  const DatasetConfig defaults;
  DatasetConfig config;
  config.layout = static_cast<DatasetLayout>(fields.OneOf("layout", kLayouts, 0));
  config.root = fields.Text("root", kMaxPath);
  fields.Require(!config.root.empty(), "root", "must name a folder");
  config.list = fields.Text("list", kMaxPath, defaults.list);
  config.split = fields.Text("split", 64, defaults.split);
  config.min_per_class = static_cast<int>(fields.Int("min_per_class", 1, 1'000'000, defaults.min_per_class));
  config.max_photos = fields.Int("max_photos", 0, kMaxPhotos, defaults.max_photos);
  config.positive_metres = fields.Number("positive_metres", 0, kMaxMetres, defaults.positive_metres);
  config.negative_metres = fields.Number("negative_metres", 0, kMaxMetres, defaults.negative_metres);
  fields.Require(config.positive_metres <= config.negative_metres, "negative_metres",
                 "must not be less than positive_metres");
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json DatasetConfig::ToJson() const {
  return {{"layout", std::string(kLayouts[static_cast<size_t>(layout)])},
          {"root", root},
          {"list", list},
          {"split", split},
          {"min_per_class", min_per_class},
          {"max_photos", max_photos},
          {"positive_metres", positive_metres},
          {"negative_metres", negative_metres}};
}

}  // namespace sightline::train
