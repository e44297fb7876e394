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

namespace sightline::model {

// (B, 3, H, W) from the plane `scale` of every image.
torch::Tensor StackPlanes(absl::Span<const PreparedImage* const> batch, size_t scale);

// L2((mean of L2(d)^p)^(1/p)) over descriptors (B, N), one per scale. Beside p = 1 they must not be negative.
torch::Tensor MergeScales(const std::vector<torch::Tensor>& descriptors, double p = 1);

// `batch` holds at least one image, all of one bucket with the planes the configuration asks for. Tokens go through
// `projection` (D, form.dim) and have the form of `form`.
std::vector<Embedding> RunInference(Network& network, const torch::Tensor& projection, const TokensConfig& form,
                                    const ModelConfig& config, absl::Span<const PreparedImage* const> batch);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_INFERENCE_H_
