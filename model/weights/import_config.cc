#include "model/weights/import_config.h"

#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::model {
namespace {

using nlohmann::ordered_json;

constexpr absl::string_view kPositionTensor = "backbone.pos_embed";

struct PositionRowsChoice {
  const char* name;
  int64_t rows;  // in front of the grid
};

// The side of a square grid of `cells` cells.
std::optional<int64_t> GridSide(int64_t cells) {
  if (cells < 1) return std::nullopt;
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(cells))));
  return side * side == cells ? std::optional(side) : std::nullopt;
}

bool IsThreeNumbers(const nlohmann::json& value) {
  return value.is_array() && value.size() == 3 && value[0].is_number() && value[1].is_number() && value[2].is_number();
}

}  // namespace

absl::StatusOr<ImportedConfig> ImportedConfig::Parse(absl::string_view model_json) {
  if (absl::Status status = ParseModelConfig(model_json).status(); !status.ok()) return status;
  return ImportedConfig(ordered_json::parse(model_json.begin(), model_json.end()));
}

bool ImportedConfig::TakeGrid(const weights::NameMapping& mapping) {
  for (const weights::FoundTensor& found : mapping.findings) {
    if (found.what != weights::Finding::kMisshaped || found.target != kPositionTensor) continue;
    if (found.file_shape.size() != 3 || found.file_shape[2] != found.model_shape[2]) return false;
    ordered_json& backbone = json_["backbone"];
    const int64_t tokens = 1 + (backbone.value("distilled", false) ? 1 : 0);
    const auto registers = backbone.value("registers", int64_t{0});
    const PositionRowsChoice choices[] = {{"all", tokens + registers}, {"class", tokens}, {"patches", 0}};
    const std::string current = backbone.value("position_rows", std::string("all"));
    const PositionRowsChoice* chosen = nullptr;
    for (const PositionRowsChoice& choice : choices) {
      if (!GridSide(found.file_shape[1] - choice.rows)) continue;
      // Without registers all rows and the class's are the same, and every published file has them.
      const bool possible = choice.name == current || registers > 0;
      if (possible && (chosen == nullptr || choice.name == current)) chosen = &choice;
    }
    if (chosen == nullptr) return false;
    const int64_t grid = *GridSide(found.file_shape[1] - chosen->rows);
    notes_.push_back(
        absl::StrCat("backbone.grid is ", grid, ", the file's; it was ", backbone.value("grid", int64_t{14})));
    backbone["grid"] = grid;
    if (chosen->name != current) {
      notes_.push_back(absl::StrCat("backbone.position_rows is ", chosen->name, ", the file's; it was ", current));
      backbone["position_rows"] = chosen->name;
    }
    return true;
  }
  return false;
}

void ImportedConfig::TakeMeta(const nlohmann::json& meta) {
  if (!meta.is_object()) return;
  for (const char* const key : {"mean", "std"}) {
    const auto found = meta.find(key);
    if (found == meta.end() || !IsThreeNumbers(*found)) continue;
    std::vector<double> values = found->get<std::vector<double>>();
    if (json_["preprocess"][key].get<std::vector<double>>() == values) continue;
    json_["preprocess"][key] = values;
    notes_.push_back(absl::StrCat("preprocess.", key, " is the file's meta.", key));
  }
}

void ImportedConfig::SetWhitening(int64_t dim) {
  json_["whitening"] = {{"dim", dim}};
  notes_.push_back(absl::StrCat("the descriptor is whitened to ", dim, " values"));
}

void ImportedConfig::SetSource(const SourceConfig& source, const std::vector<std::string>& seeded) {
  json_["provenance"] =
      absl::StrCat("Weights of ", source.file, " (", source.format, ", names of ", source.names,
                   ") in the architecture ", json_["name"].get<std::string>(), ".",
                   seeded.empty() ? "" : " The file has no head; its values are seeded, not trained.");
  json_["source"] = ordered_json(ToJson(source));
  json_.erase("seeded");
  if (!seeded.empty()) json_["seeded"] = seeded;
}

}  // namespace sightline::model
