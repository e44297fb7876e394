#include "model/inference.h"

#include <cstring>
#include <utility>

#include "model/layers/norm.h"
#include "model/preprocess/sizes.h"
#include "model/tokens/extract.h"

namespace sightline::model {
torch::Tensor StackPlanes(absl::Span<const PreparedImage* const> batch, size_t scale) {
  const PreparedImage::Plane& first = batch.front()->planes[scale];
  const torch::Tensor images = torch::empty({static_cast<int64_t>(batch.size()), 3, first.height, first.width});
  const size_t values = first.chw.size();
  for (size_t b = 0; b < batch.size(); ++b) {
    std::memcpy(images.data_ptr<float>() + b * values, batch[b]->planes[scale].chw.data(), values * sizeof(float));
  }
  return images;
}

torch::Tensor MergeScales(const std::vector<torch::Tensor>& descriptors, double p) {
  std::vector<torch::Tensor> normalised;
  for (const torch::Tensor& descriptor : descriptors) normalised.push_back(L2(descriptor));
  const torch::Tensor all = torch::stack(normalised);
  return L2(p == 1 ? all.mean(0) : all.pow(p).mean(0).pow(1 / p));
}

std::vector<Embedding> RunInference(Network& network, const torch::Tensor& projection, const TokensConfig& form,
                                    const ModelConfig& config, absl::Span<const PreparedImage* const> batch) {
  const size_t token_scale = TokenScale(config.preprocess);
  std::vector<torch::Tensor> descriptors;
  std::vector<PatchTokens> tokens;
  for (size_t scale = 0; scale < config.preprocess.scales.size(); ++scale) {
    const bool wants_rollout = scale == token_scale && form.importance == Importance::kRollout;
    const Features features = network.Look(StackPlanes(batch, scale), wants_rollout);
    descriptors.push_back(network.head().Forward(features));
    if (scale == token_scale) tokens = ExtractTokens(features, network.head(), projection, form);
  }
  const double p = config.preprocess.merge == ScaleMerge::kPower ? network.head().exponent() : 1;
  const torch::Tensor merged = network.Finish(MergeScales(descriptors, p)).contiguous();

  std::vector<Embedding> embeddings(batch.size());
  for (size_t b = 0; b < batch.size(); ++b) {
    const float* const values = merged[static_cast<int64_t>(b)].data_ptr<float>();
    embeddings[b].descriptor.assign(values, values + merged.size(1));
    embeddings[b].tokens = std::move(tokens[b]);
  }
  return embeddings;
}

}  // namespace sightline::model
