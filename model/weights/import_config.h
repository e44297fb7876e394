// The model.json of an imported model: that of the architecture, with what the file decides written over it.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT where the text is no model.json.
//
//   ImportedConfig imported(text);
//   imported.TakeGrid(mapping);
//   imported.TakeMeta(checkpoint->meta());
//   const std::string model_json = imported.Text();
#ifndef SIGHTLINE_MODEL_WEIGHTS_IMPORT_CONFIG_H_
#define SIGHTLINE_MODEL_WEIGHTS_IMPORT_CONFIG_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/config/model_config.h"
#include "model/weights/name_map.h"

namespace sightline::model {

class ImportedConfig {
 public:
  static absl::StatusOr<ImportedConfig> Parse(absl::string_view model_json);

  // Takes the grid of the file's position embedding where it is another than the model's: the values stay as they were
  // trained, and the model resizes them to an image's grid as it always does. True when something was changed.
  bool TakeGrid(const weights::NameMapping& mapping);

  // Takes the colour statistics that the file names.
  void TakeMeta(const nlohmann::json& meta);

  // A whitening to `dim` values as the last step.
  void SetWhitening(int64_t dim);

  void SetSource(const SourceConfig& source, const std::vector<std::string>& seeded);

  // Members in the order of the text parsed. Names come from files and may be no UTF-8: what is not is replaced.
  std::string Text() const {
    return json_.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  void AddNote(std::string note) { notes_.push_back(std::move(note)); }
  // What was changed, and what may be of interest, in words.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  explicit ImportedConfig(nlohmann::ordered_json json) : json_(std::move(json)) {}
  nlohmann::ordered_json json_;
  std::vector<std::string> notes_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_WEIGHTS_IMPORT_CONFIG_H_
