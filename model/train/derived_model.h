// A model made of another one: its model.json edited, its weights with a few tensors more.
//
// Threading: pure functions. Failure: Status that names the file. The folder is there wholly or not at all.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadModelJson("models/vit"));
//   SIGHTLINE_ASSIGN_OR_RETURN(auto root, DerivedJson(text, "models/vit_64", "Tokens projected to 64 dimensions."));
//   root["tokens"]["dim"] = 64;
//   auto info = WriteDerivedModel({.from = "models/vit", .out = "models/vit_64"}, root, {tensor});
#ifndef SIGHTLINE_MODEL_TRAIN_DERIVED_MODEL_H_
#define SIGHTLINE_MODEL_TRAIN_DERIVED_MODEL_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/model.h"
#include "model/weights/safetensors.h"

namespace sightline::train {

// Above any published model's weights as float32.
inline constexpr int64_t kMaxDerivedBytes = 3LL * 1024 * 1024 * 1024;

absl::StatusOr<std::string> ReadModelJson(const std::string& directory);

// `text`, members in their old order, with the name of the folder `out`, and `sentence` behind its provenance where
// model.json has room for it.
absl::StatusOr<nlohmann::ordered_json> DerivedJson(const std::string& text, const std::string& out,
                                                   const std::string& sentence);

struct DerivedModel {
  std::string from;
  std::string out;
  bool replace = false;           // a model that is in `out`
  bool same_descriptors = false;  // its int8 calibration goes with it
};

// Writes the folder beside its place, loads it once to prove that it works, and moves it there. `tensors` are added to
// the weights, or replace those of their names.
absl::StatusOr<model::ModelInfo> WriteDerivedModel(const DerivedModel& derived, const nlohmann::ordered_json& root,
                                                   absl::Span<const weights::TensorView> tensors);

// `values` as a float32 tensor; they must outlive it.
weights::TensorView ViewOf(const std::string& name, const std::vector<float>& values, std::vector<int64_t> shape);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DERIVED_MODEL_H_
