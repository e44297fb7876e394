// Layer: a LibTorch module that can prepare itself for inference.
//
// Parameters are allocated but not filled: the loader or the seeded initialisation does that. After it, PlanInference
// computes once what never changes between forward passes (standardised weights, folded batch norms). A module in
// training mode ignores its plan.
//
// Threading: a module belongs to one thread at a time. Ownership: as LibTorch's, by shared_ptr. Failure: LibTorch's
// exceptions; they are caught where the room's boundary is, in model.cc.
#ifndef SIGHTLINE_MODEL_LAYERS_LAYER_H_
#define SIGHTLINE_MODEL_LAYERS_LAYER_H_

#include <torch/torch.h>

namespace sightline::model {

struct PlanOptions {};

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

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_LAYER_H_
