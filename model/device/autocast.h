// Autocast: while it lives, LibTorch's operations on this thread compute in a shorter type where that is safe, and in
// float32 where it is not (norms, softmax, powers).
//
// Threading: of the thread that made it. Failure: none.
#ifndef SIGHTLINE_MODEL_DEVICE_AUTOCAST_H_
#define SIGHTLINE_MODEL_DEVICE_AUTOCAST_H_

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

namespace sightline::model {

class Autocast {
 public:
  // Does nothing where `type` is float32.
  Autocast(torch::Device device, torch::ScalarType type) : type_(device.type()), on_(type != torch::kFloat) {
    if (!on_) return;
    Set(type);
    // Weights are in `type` already: nothing is worth keeping.
    at::autocast::set_autocast_cache_enabled(false);
  }
  ~Autocast() {
    if (!on_) return;
    at::autocast::clear_cache();
    at::autocast::set_autocast_cache_enabled(true);
    Enable(false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  // LibTorch 2.4 asks for the device where the versions before have a function for each.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  void Set(torch::ScalarType type) {
    at::autocast::set_autocast_dtype(type_, type);
    Enable(true);
  }
  void Enable(bool on) { at::autocast::set_autocast_enabled(type_, on); }
#else
  void Set(torch::ScalarType type) {
    if (type_ == torch::kCPU) {
      at::autocast::set_autocast_cpu_dtype(type);
    } else {
      at::autocast::set_autocast_gpu_dtype(type);
    }
    Enable(true);
  }
  void Enable(bool on) {
    if (type_ == torch::kCPU) {
      at::autocast::set_cpu_enabled(on);
    } else {
      at::autocast::set_enabled(on);
    }
  }
#endif

  const torch::DeviceType type_;
  const bool on_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_DEVICE_AUTOCAST_H_
