// Layer: a LibTorch module that can prepare itself for inference.
//
// Parameters are allocated but not filled: the loader or the seeded initialisation does that. After it, PlanInference
// computes once what never changes between forward passes (standardised weights, folded batch norms) and packs weights
// for the fast path of model/engine. A module in training mode, a pass with gradients on and a pass on another device
// or number type ignore the plan: plain LibTorch operations, which are also what tests compare the fast path with.
//
// A network that is to compute on another device is moved there first and planned with `settle`: its parameters become
// what LibTorch's operations take.
//
// Threading: a module belongs to one thread at a time. Ownership: as LibTorch's, by shared_ptr. Failure: exceptions of
// LibTorch and oneDNN; they are caught where the room's boundary is, in model.cc.
#ifndef SIGHTLINE_MODEL_LAYERS_LAYER_H_
#define SIGHTLINE_MODEL_LAYERS_LAYER_H_

#include <torch/torch.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/calibration/calibration.h"
#include "model/calibration/input_observer.h"
#include "model/engine/buffers.h"
#include "model/numeric.h"

namespace sightline::model {

// What became of a plan for int8.
struct PlanReport {
  int int8_layers = 0;
  std::vector<std::string> uncalibrated;  // names of convolutions that stay fp32 for want of a scale
};

struct PlanOptions {
  // What all planned layers of one network take their memory from; null in a settled one.
  std::shared_ptr<engine::BufferPool> buffers = std::make_shared<engine::BufferPool>();
  // kInt8 only where engine::HasInt8().
  Numeric numeric = Numeric::kFp32;
  // Scales of the inputs of convolutions, by path; null for none.
  std::shared_ptr<const Calibration> calibration = nullptr;
  // Is shown the inputs of convolutions, if not null.
  std::shared_ptr<InputObserver> observer = nullptr;
  // Filled while planning, if not null.
  std::shared_ptr<PlanReport> report = nullptr;
  // Set: nothing is packed. Linear maps and convolutions keep their weights in this type, with filters standardised and
  // norms folded in; what such a network was trained with is gone.
  std::optional<torch::ScalarType> settle = std::nullopt;
};

class Layer : public torch::nn::Module {
 public:
  // Called once, after the parameters hold their values, with gradients off.
  virtual void Plan(const PlanOptions&) {}

  // Where the layer is in the network that was planned, "backbone.blocks.0.attn.qkv". Set before any layer is planned.
  const std::string& path() const { return path_; }

 private:
  friend void PlanInference(torch::nn::Module& module, const PlanOptions& options);
  std::string path_;
};

// Puts `module` into evaluation mode and plans every layer in it.
void PlanInference(torch::nn::Module& module, const PlanOptions& options = {});

// Whether the fast path can compute with `x`: float32 in main memory, no gradients wanted.
inline bool IsPlain(const torch::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == torch::kFloat && !torch::GradMode::is_enabled();
}

// Puts `values` in the place of a parameter's, in the type that a settled network computes in.
void SettleParameter(torch::Tensor& parameter, const torch::Tensor& values, torch::ScalarType type);

// A contiguous tensor of any content from `buffers`, to which its memory goes back.
torch::Tensor Borrow(const std::shared_ptr<engine::BufferPool>& buffers, torch::IntArrayRef sizes);

// The same, (B, C, H, W) with the channels last.
torch::Tensor BorrowMap(const std::shared_ptr<engine::BufferPool>& buffers, torch::IntArrayRef sizes);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_LAYER_H_
