#include "model/train/run/trained_model.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/train/run/checkpoint.h"
#include "model/weights/model_folder.h"

namespace sightline::train {

absl::StatusOr<model::ModelInfo> WriteTrainedModel(const StartingPoint& start, const model::TrainingRecord& record,
                                                   const std::vector<model::NamedTensor>& values,
                                                   const TrainedModelOptions& options) {
  auto root = nlohmann::ordered_json::parse(start.model_json);
  root.erase("seeded");
  root.erase("source");
  // A fitted projection belongs to the tokens that it was fitted to.
  nlohmann::ordered_json& projection = root["tokens"]["projection"];
  if (projection.value("type", "") == "stored") projection = {{"type", "orthonormal"}, {"seed", 1}};
  root["provenance"] =
      absl::StrCat("Trained by sightline-train in ", record.steps, " steps on ", record.photographs, " photographs of ",
                   record.classes, " things (", record.data, ")",
                   record.init.empty() ? "" : absl::StrCat(", beginning with ", record.init),
                   record.teacher.empty() ? "" : absl::StrCat(", distilled from ", record.teacher), ".");
  root["training"] = nlohmann::ordered_json(model::ToJson(record));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string weights, SerializeTensors(values, options.half, {{"format", "pt"}}));
  SIGHTLINE_ASSIGN_OR_RETURN(const auto folder, model::ModelFolder::Begin(options.out, /*replace=*/true));
  SIGHTLINE_RETURN_IF_ERROR(folder->Write("weights.safetensors", weights));
  SIGHTLINE_RETURN_IF_ERROR(folder->Write("model.json", root.dump(2) + "\n"));
  SIGHTLINE_ASSIGN_OR_RETURN(const auto loaded, model::Model::Load(folder->path(), {}));
  SIGHTLINE_RETURN_IF_ERROR(folder->Commit());
  return loaded->info();
}

}  // namespace sightline::train
