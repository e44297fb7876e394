// From the bytes of a batch to what a network reads.
//
// Threading: pure functions. Failure: LibTorch's exceptions.
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_PIXELS_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_PIXELS_H_

#include <torch/torch.h>

#include "model/config/model_config.h"
#include "model/train/data/loader.h"

namespace sightline::train {

// (B, 3, H, W) bytes with the channels last, a copy on `device`.
torch::Tensor BatchPixels(const LoadedBatch& batch, torch::Device device);

// (v / 255 - mean) / std per channel, float32, the layout as it was.
torch::Tensor Normalise(const torch::Tensor& pixels, const model::PreprocessConfig& config);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_PIXELS_H_
