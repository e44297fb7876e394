#include "model/inference.h"

#include <cstring>
#include <utility>

#include "model/layers/norm.h"
#include "model/preprocess/sizes.h"

namespace sightline::model {

torch::Tensor StackPlanes(absl::Span<const PreparedImage* const> batch, size_t scale, torch::Tensor out) {
  const PreparedImage::Plane& first = batch.front()->planes[scale];
  if (!out.defined()) out = torch::empty({static_cast<int64_t>(batch.size()), 3, first.height, first.width});
  const size_t values = first.chw.size();
  for (size_t b = 0; b < batch.size(); ++b) {
    std::memcpy(out.data_ptr<float>() + b * values, batch[b]->planes[scale].chw.data(), values * sizeof(float));
  }
  return out;
}

torch::Tensor MergeScales(const std::vector<torch::Tensor>& descriptors, double p) {
  std::vector<torch::Tensor> normalised;
  for (const torch::Tensor& descriptor : descriptors) normalised.push_back(L2(descriptor));
  const torch::Tensor all = torch::stack(normalised);
  return L2(p == 1 ? all.mean(0) : all.pow(p).mean(0).pow(1 / p));
}

InferenceResult Infer(Network& network, const torch::Tensor& projection, const TokensConfig& form,
                      const ModelConfig& config, absl::Span<const torch::Tensor> planes) {
  const size_t token_scale = TokenScale(config.preprocess);
  InferenceResult result;
  std::vector<torch::Tensor> descriptors;
  for (size_t scale = 0; scale < planes.size(); ++scale) {
    const bool wants_rollout = scale == token_scale && form.importance == Importance::kRollout;
    const Features features = network.Look(planes[scale], wants_rollout);
    descriptors.push_back(network.head().Forward(features).to(torch::kFloat));
    if (scale == token_scale) result.tokens = ComputeTokens(features, network.head(), projection, form);
  }
  const double p = config.preprocess.merge == ScaleMerge::kPower ? network.head().exponent() : 1;
  result.descriptors = network.Finish(MergeScales(descriptors, p)).to(torch::kFloat).contiguous();
  return result;
}

std::vector<Embedding> ToEmbeddings(const InferenceResult& result, const TokensConfig& form) {
  std::vector<PatchTokens> tokens = KeepTokens(result.tokens, form);
  std::vector<Embedding> embeddings(tokens.size());
  const int64_t dim = result.descriptors.size(1);
  for (size_t b = 0; b < embeddings.size(); ++b) {
    const float* const values = result.descriptors.data_ptr<float>() + static_cast<int64_t>(b) * dim;
    embeddings[b].descriptor.assign(values, values + dim);
    embeddings[b].tokens = std::move(tokens[b]);
  }
  return embeddings;
}

std::vector<Embedding> RunInference(Network& network, const torch::Tensor& projection, const TokensConfig& form,
                                    const ModelConfig& config, absl::Span<const PreparedImage* const> batch) {
  std::vector<torch::Tensor> planes;
  for (size_t scale = 0; scale < config.preprocess.scales.size(); ++scale) planes.push_back(StackPlanes(batch, scale));
  return ToEmbeddings(Infer(network, projection, form, config, planes), form);
}

}  // namespace sightline::model
