// Loss: from the descriptors of a batch and their labels to what training makes small.
//
// A loss may have parameters of its own (class weights, margins per class), which the trainer optimises beside the
// network's and keeps in its checkpoints.
//
// Threading: one thread at a time. Ownership: as LibTorch's, by shared_ptr. Failure: exceptions of LibTorch, caught
// where the trainer enters it.
//
//   auto loss = BuildLoss({.kind = LossKind::kArcFace}, /*dim=*/256, /*classes=*/1000);
//   loss->Forward(network_output, labels).backward();
#ifndef SIGHTLINE_MODEL_TRAIN_LOSS_LOSS_H_
#define SIGHTLINE_MODEL_TRAIN_LOSS_LOSS_H_

#include <torch/torch.h>

#include <cstdint>
#include <memory>

#include "model/train/loss/loss_config.h"

namespace sightline::train {

class Loss : public torch::nn::Module {
 public:
  // `outputs` (B, N) as the head gives them, not normalised; `labels` (B) int64 in [0, classes). A scalar, the mean
  // over what the loss counts; a zero that still has a gradient where a batch offers nothing to count (no pairs, no
  // triplets).
  virtual torch::Tensor Forward(const torch::Tensor& outputs, const torch::Tensor& labels) = 0;
};

// Class weights and the like are drawn from LibTorch's default generator.
std::shared_ptr<Loss> BuildLoss(const LossConfig& config, int64_t dim, int64_t classes);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_LOSS_LOSS_H_
