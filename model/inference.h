// Inference: a batch of prepared images through a network, at every scale, to embeddings.
//
//   d = L2((mean over scales of L2(u_scale)^p)^(1/p)), whitened where the model ends with that
//
// with p = 1 but for models that merge with GeM's exponent. Tokens come from the scale closest to 1.
//
// Threading: pure functions of a network that belongs to one thread at a time. Failure: LibTorch's exceptions.
#ifndef SIGHTLINE_MODEL_INFERENCE_H_
#define SIGHTLINE_MODEL_INFERENCE_H_

#include <vector>

#include "absl/types/span.h"
#include "model/config/model_config.h"
#include "model/model.h"
#include "model/registry.h"
#include "model/tokens/extract.h"

namespace sightline::model {

// (B, 3, H, W) from the plane `scale` of every image, into main memory: `out` where it is defined and of that size.
torch::Tensor StackPlanes(absl::Span<const PreparedImage* const> batch, size_t scale, torch::Tensor out = {});

// L2((mean of L2(d)^p)^(1/p)) over descriptors (B, N), one per scale. Beside p = 1 they must not be negative.
torch::Tensor MergeScales(const std::vector<torch::Tensor>& descriptors, double p = 1);

// What a network has to say of a batch, on the device it is on.
struct InferenceResult {
  torch::Tensor descriptors;  // (B, N), float32
  TokenMaps tokens;
};

// `planes` are (B, 3, H, W) for each scale of the configuration, on the network's device, where `projection`
// (D, form.dim) is too. No value is looked at on the way: nothing waits for the device.
InferenceResult Infer(Network& network, const torch::Tensor& projection, const TokensConfig& form,
                      const ModelConfig& config, absl::Span<const torch::Tensor> planes);

// From results in main memory. Tokens have the form of `form`.
std::vector<Embedding> ToEmbeddings(const InferenceResult& result, const TokensConfig& form);

// All of it, on the CPU. `batch` holds at least one image, all of one bucket with the planes the configuration asks
// for.
std::vector<Embedding> RunInference(Network& network, const torch::Tensor& projection, const TokensConfig& form,
                                    const ModelConfig& config, absl::Span<const PreparedImage* const> batch);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_INFERENCE_H_
