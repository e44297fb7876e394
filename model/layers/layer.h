// Layer: a LibTorch module that can prepare itself for inference.
//
// Parameters are allocated but not filled: the loader or the seeded initialisation does that. After it, PlanInference
// computes once what never changes between forward passes (standardised weights, folded batch norms) and packs weights
// for the fast path of model/engine. A module in training mode, a pass with gradients on and a pass on another device
// or number type ignore the plan: plain LibTorch operations, which are also what tests compare the fast path with.
//
// Threading: a module belongs to one thread at a time. Ownership: as LibTorch's, by shared_ptr. Failure: exceptions of
// LibTorch and oneDNN; they are caught where the room's boundary is, in model.cc.
#ifndef SIGHTLINE_MODEL_LAYERS_LAYER_H_
#define SIGHTLINE_MODEL_LAYERS_LAYER_H_

#include <torch/torch.h>

#include <memory>

#include "model/engine/buffers.h"

namespace sightline::model {

struct PlanOptions {
  // What all planned layers of one network take their memory from.
  std::shared_ptr<engine::BufferPool> buffers = std::make_shared<engine::BufferPool>();
};

class Layer : public torch::nn::Module {
 public:
  // Called once, after the parameters hold their values, with gradients off.
  virtual void Plan(const PlanOptions&) {}
};

// Puts `module` into evaluation mode and plans every layer in it.
inline void PlanInference(torch::nn::Module& module, const PlanOptions& options = {}) {
  torch::NoGradGuard no_grad;
  module.eval();
  if (auto* layer = dynamic_cast<Layer*>(&module)) layer->Plan(options);
  for (const auto& child : module.modules(/*include_self=*/false)) {
    if (auto* layer = dynamic_cast<Layer*>(child.get())) layer->Plan(options);
  }
}

// Whether the fast path can compute with `x`: float32 in main memory, no gradients wanted.
inline bool IsPlain(const torch::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == torch::kFloat && !torch::GradMode::is_enabled();
}

// A contiguous tensor of any content from `buffers`, to which its memory goes back.
torch::Tensor Borrow(const std::shared_ptr<engine::BufferPool>& buffers, torch::IntArrayRef sizes);

// The same, (B, C, H, W) with the channels last.
torch::Tensor BorrowMap(const std::shared_ptr<engine::BufferPool>& buffers, torch::IntArrayRef sizes);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_LAYER_H_
