#include "model/train/data/sampler_config.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::train {
namespace {

constexpr int kMaxBatch = 65'536;
constexpr int kLeastSide = 8;
constexpr int kMostSide = 4'096;
constexpr size_t kMaxGroups = 64;

// A pair [width, height].
std::optional<SamplerConfig::Size> ReadSize(const nlohmann::json& value) {
  if (!value.is_array() || value.size() != 2) return std::nullopt;
  for (const nlohmann::json& side : value) {
    // As a double, for an unsigned value beyond int64 would wrap when read as signed.
    if (!side.is_number_integer() || side.get<double>() < kLeastSide || side.get<double>() > kMostSide) {
      return std::nullopt;
    }
  }
  return SamplerConfig::Size{value[0].get<int>(), value[1].get<int>()};
}

}  // namespace

absl::StatusOr<SamplerConfig> SamplerConfig::Parse(model::Fields& fields) {
  const SamplerConfig defaults;
  SamplerConfig config;
  config.batch = static_cast<int>(fields.Int("batch", 1, kMaxBatch, defaults.batch));
  config.per_class = static_cast<int>(fields.Int("per_class", 0, kMaxBatch, defaults.per_class));
  fields.Require(config.per_class == 0 || config.batch % config.per_class == 0, "per_class", "must divide batch");
  config.negatives = static_cast<int>(fields.Int("negatives", 0, kMaxBatch, defaults.negatives));
  fields.Require(config.negatives == 0 || (config.batch % (config.negatives + 2) == 0 && config.per_class == 0),
                 "negatives", "and the two of a place must divide batch, and go without per_class");
  if (fields.Has("edges")) config.edges = fields.Numbers("edges", 0, kMaxGroups - 1, 0.01, 100);
  for (size_t i = 1; i < config.edges.size(); ++i) {
    fields.Require(config.edges[i] > config.edges[i - 1], "edges", "must ascend");
  }
  if (fields.Has("sizes")) {
    config.sizes.clear();
    for (const nlohmann::json& value : fields.List("sizes", 1, kMaxGroups)) {
      const std::optional<Size> size = ReadSize(value);
      fields.Require(
          size.has_value(), "sizes",
          absl::StrCat("must hold pairs [width, height] of whole numbers from ", kLeastSide, " to ", kMostSide));
      config.sizes.push_back(size.value_or(Size{}));
    }
  }
  fields.Require(config.sizes.size() == config.edges.size() + 1, "sizes",
                 absl::StrCat("must hold one more than the ", config.edges.size(), " edges"));
  fields.Require(config.negatives == 0 || config.edges.empty(), "negatives", "goes with one size, without edges");
  config.batches = fields.Int("batches", 0, 1'000'000'000, defaults.batches);
  SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
  return config;
}

nlohmann::json SamplerConfig::ToJson() const {
  nlohmann::json size_list = nlohmann::json::array();
  for (const Size& size : sizes) size_list.push_back({size.width, size.height});
  return {{"batch", batch}, {"per_class", per_class}, {"negatives", negatives},
          {"edges", edges}, {"sizes", size_list},     {"batches", batches}};
}

}  // namespace sightline::train
