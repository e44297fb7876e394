#include "model/space.h"

#include <bit>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/sha256.h"

namespace sightline::model {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "spaces are digests of little-endian values");

// Every piece is preceded by its length, so that no two different lists of pieces read the same.
void Add(base::Sha256& digest, absl::string_view piece) {
  digest.Update(absl::StrCat(piece.size(), ":"));
  digest.Update(piece);
}

void Add(base::Sha256& digest, absl::string_view name, const torch::Tensor& tensor) {
  const torch::Tensor values = tensor.detach().to(torch::kFloat).contiguous();
  Add(digest, name);
  Add(digest, absl::StrJoin(values.sizes(), ","));
  digest.Update(values.data_ptr<float>(), static_cast<size_t>(values.numel()) * sizeof(float));
}

}  // namespace

Spaces ComputeSpaces(const ModelConfig& config, const std::vector<NamedTensor>& tensors,
                     const torch::Tensor& projection) {
  base::Sha256 embedding;
  base::Sha256 token;
  const json backbone = ToJson(config.backbone);
  const json preprocess = ToJson(config.preprocess);
  Add(embedding, "sightline embedding space 1");
  json deciding = {{"backbone", backbone}, {"head", ToJson(config.head)}, {"preprocess", preprocess}};
  if (config.whitening.has_value()) deciding["whitening"] = {{"dim", config.whitening->dim}};
  Add(embedding, deciding.dump());
  Add(token, "sightline token space 1");
  Add(token, json{{"backbone", backbone}, {"preprocess", preprocess}, {"tokens", ToJson(config.tokens)}}.dump());
  for (const NamedTensor& tensor : tensors) {
    Add(embedding, tensor.name, tensor.tensor);
    if (absl::StartsWith(tensor.name, "backbone.")) Add(token, tensor.name, tensor.tensor);
  }
  Add(token, "tokens.projection", projection);
  return {embedding.FinishHex(), token.FinishHex()};
}

}  // namespace sightline::model
