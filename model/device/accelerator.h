// Accelerator: what a DeviceNetwork needs of a device that works beside the processor: copies that overlap with its
// work, work queued without waiting for it, work recorded once and played again. Tests put one of their own in its
// place.
//
// Order: what Compute, Play and Download are given is done in the order of the calls. An Upload is done beside it, and
// whatever Compute is given later waits for it.
//
// Threading: one thread at a time. Ownership: tensors are LibTorch's; Points and Recordings must not outlive it.
// Failure: LibTorch's exceptions, c10::OutOfMemoryError where the device has no memory left.
#ifndef SIGHTLINE_MODEL_DEVICE_ACCELERATOR_H_
#define SIGHTLINE_MODEL_DEVICE_ACCELERATOR_H_

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace sightline::model {

class Accelerator {
 public:
  // A point in the device's work.
  class Point {
   public:
    virtual ~Point() = default;
    // Until the device has come to it. Throws what went wrong on the way.
    virtual void Wait() = 0;
  };

  // Work that can be queued again and again for the price of one operation, on the same tensors.
  class Recording {
   public:
    virtual ~Recording() = default;
    virtual void Play() = 0;
  };

  struct Copy {
    torch::Tensor from;
    torch::Tensor to;
  };

  virtual ~Accelerator() = default;

  virtual torch::Device device() const = 0;

  // Float32 in main memory that the device can copy from and to without help.
  virtual torch::Tensor HostTensor(int64_t values) = 0;

  virtual void Upload(absl::Span<const Copy> copies) = 0;

  // Queues what `work` does.
  virtual void Compute(absl::FunctionRef<void()> work) = 0;

  // Queues nothing: keeps what `work` would. The tensors that it makes stay the recording's. Null where the device
  // cannot record it; `work` has no effect then.
  virtual std::unique_ptr<Recording> Record(const std::function<void()>& work) = 0;

  // Queues copies to main memory, and gives the point behind them.
  virtual std::unique_ptr<Point> Download(absl::Span<const Copy> copies) = 0;

  // Gives memory that is kept for later back to the device.
  virtual void FreeUnused() = 0;
};

// The card cuda:N; FAILED_PRECONDITION where this program was built without CUDA or there is no such card.
absl::StatusOr<std::unique_ptr<Accelerator>> OpenCard(int index);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_DEVICE_ACCELERATOR_H_
