#include "model/train/derived_model.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "model/calibration/calibration.h"
#include "model/config/model_config.h"
#include "model/weights/model_folder.h"

namespace sightline::train {

absl::StatusOr<std::string> ReadModelJson(const std::string& directory) {
  constexpr int64_t kMaxConfigText = 1 << 20;
  return base::ReadFile(directory + "/model.json", kMaxConfigText);
}

absl::StatusOr<nlohmann::ordered_json> DerivedJson(const std::string& text, const std::string& out,
                                                   const std::string& sentence) {
  SIGHTLINE_ASSIGN_OR_RETURN(const model::ModelConfig config, model::ParseModelConfig(text));
  auto root = nlohmann::ordered_json::parse(text);
  const std::string name = std::filesystem::path(out).lexically_normal().filename().string();
  if (!name.empty() && name != ".") root["name"] = name;
  const std::string both = absl::StrCat(config.provenance, " ", sentence);
  constexpr size_t kMaxProvenance = 4096;  // what model.json may hold
  if (both.size() <= kMaxProvenance) root["provenance"] = both;
  return root;
}

weights::TensorView ViewOf(const std::string& name, const std::vector<float>& values, std::vector<int64_t> shape) {
  return {name,
          weights::DType::kF32,
          std::move(shape),
          {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}};
}

absl::StatusOr<model::ModelInfo> WriteDerivedModel(const DerivedModel& derived, const nlohmann::ordered_json& root,
                                                   absl::Span<const weights::TensorView> tensors) {
  const std::string config = root.dump(2) + "\n";
  SIGHTLINE_RETURN_IF_ERROR(model::ParseModelConfig(config).status());
  SIGHTLINE_ASSIGN_OR_RETURN(const auto file,
                             base::MappedFile::Open(derived.from + "/weights.safetensors", kMaxDerivedBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(weights::Safetensors old, weights::ParseSafetensors(file->bytes(), {}));
  for (const weights::TensorView& tensor : tensors) {
    std::erase_if(old.tensors, [&tensor](const weights::TensorView& other) { return other.name == tensor.name; });
    old.tensors.push_back(tensor);
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, weights::SerializeSafetensors(old.tensors, old.metadata));
  SIGHTLINE_ASSIGN_OR_RETURN(const auto folder, model::ModelFolder::Begin(derived.out, derived.replace));
  SIGHTLINE_RETURN_IF_ERROR(folder->Write("weights.safetensors", bytes));
  SIGHTLINE_RETURN_IF_ERROR(folder->Write("model.json", config));
  const std::string calibration = absl::StrCat(derived.from, "/", model::kCalibrationFile);
  if (derived.same_descriptors && std::filesystem::exists(calibration)) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(calibration, model::kMaxCalibrationBytes));
    SIGHTLINE_RETURN_IF_ERROR(folder->Write(std::string(model::kCalibrationFile), text));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const auto loaded, model::Model::Load(folder->path(), {}));
  SIGHTLINE_RETURN_IF_ERROR(folder->Commit());
  return loaded->info();
}

}  // namespace sightline::train
