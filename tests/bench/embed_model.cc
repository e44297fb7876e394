#include "tests/bench/embed_model.h"

#include <torch/torch.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/config/model_config.h"
#include "model/registry.h"
#include "model/weights/load.h"
#include "model/weights/safetensors.h"
#include "model/weights/seeded_init.h"

namespace sightline::bench {

absl::Status WriteSeededModel(const std::string& model_json, const std::string& folder) {
  const absl::StatusOr<model::ModelConfig> config = model::ParseModelConfig(model_json);
  if (!config.ok()) return config.status();
  const torch::NoGradGuard no_grad;
  model::Network network(config->backbone, config->head);
  const std::vector<model::NamedTensor> tensors = model::InferenceTensors(network);
  model::InitialiseSeeded(tensors, std::max(1, model::Facts(config->backbone).layers), config->seed);
  std::vector<weights::TensorView> views;
  for (const model::NamedTensor& tensor : tensors) {
    const auto bytes = static_cast<size_t>(tensor.tensor.numel()) * sizeof(float);
    views.push_back({tensor.name,
                     weights::DType::kF32,
                     tensor.tensor.sizes().vec(),
                     {reinterpret_cast<const char*>(tensor.tensor.data_ptr<float>()), bytes}});
  }
  const absl::StatusOr<std::string> file = weights::SerializeSafetensors(views, {});
  if (!file.ok()) return file.status();
  std::ofstream weights(absl::StrCat(folder, "/weights.safetensors"), std::ios::binary);
  weights << *file;
  std::ofstream description(absl::StrCat(folder, "/model.json"));
  description << model_json;
  if (!weights.flush() || !description.flush()) {
    return absl::InternalError(absl::StrCat("writing a model to ", folder, " failed. Make room there."));
  }
  return absl::OkStatus();
}

}  // namespace sightline::bench
