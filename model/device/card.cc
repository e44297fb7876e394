// OpenCard: an NVIDIA card by LibTorch's CUDA.
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <exception>
#include <functional>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "model/device/accelerator.h"

namespace sightline::model {
namespace {

class CardPoint : public Accelerator::Point {
 public:
  explicit CardPoint(const c10::cuda::CUDAStream& stream) { event_.record(stream); }
  void Wait() override { event_.synchronize(); }

 private:
  // Waiting sleeps: the processor has other work.
  at::cuda::CUDAEvent event_{cudaEventDisableTiming | cudaEventBlockingSync};
};

class CardRecording : public Accelerator::Recording {
 public:
  at::cuda::CUDAGraph& graph() { return graph_; }
  void Play() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

class Card : public Accelerator {
 public:
  explicit Card(int index)
      : device_(torch::kCUDA, static_cast<c10::DeviceIndex>(index)),
        work_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device_.index())),
        copies_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device_.index())) {}

  torch::Device device() const override { return device_; }

  torch::Tensor HostTensor(int64_t values) override {
    return torch::empty({values}, torch::TensorOptions(torch::kFloat).pinned_memory(true));
  }

  void Upload(absl::Span<const Copy> copies) override {
    const c10::cuda::CUDAStreamGuard on(copies_);
    for (const Copy& copy : copies) {
      torch::Tensor to = copy.to;
      to.copy_(copy.from, /*non_blocking=*/true);
    }
    uploaded_.record(copies_);
    uploaded_.block(work_);
  }

  void Compute(absl::FunctionRef<void()> work) override {
    const c10::cuda::CUDAStreamGuard on(work_);
    work();
  }

  std::unique_ptr<Recording> Record(const std::function<void()>& work) override {
    const c10::cuda::CUDAStreamGuard on(work_);
    auto recording = std::make_unique<CardRecording>();
    bool begun = false;
    try {
      recording->graph().capture_begin();
      begun = true;
      work();
      recording->graph().capture_end();
      return recording;
    } catch (const c10::OutOfMemoryError&) {
      if (begun) EndFailedCapture(&recording->graph());
      throw;
    } catch (const std::exception& error) {
      if (begun) EndFailedCapture(&recording->graph());
      const absl::string_view text = error.what();
      base::Log(base::Severity::kInfo, "a batch cannot be recorded on the card and is started step by step",
                {{"device", device_.str()}, {"reason", std::string(text.substr(0, text.find('\n')))}});
      return nullptr;
    }
  }

  std::unique_ptr<Point> Download(absl::Span<const Copy> copies) override {
    const c10::cuda::CUDAStreamGuard on(work_);
    for (const Copy& copy : copies) {
      torch::Tensor to = copy.to;
      to.copy_(copy.from, /*non_blocking=*/true);
    }
    return std::make_unique<CardPoint>(work_);
  }

  void FreeUnused() override {
    work_.synchronize();
    copies_.synchronize();
    c10::cuda::CUDACachingAllocator::emptyCache();
  }

 private:
  // Whatever it says: the capture was invalid.
  static void EndFailedCapture(at::cuda::CUDAGraph* graph) {
    try {
      graph->capture_end();
    } catch (const std::exception&) {
    }
    (void)cudaGetLastError();
  }

  const torch::Device device_;
  const c10::cuda::CUDAStream work_, copies_;
  at::cuda::CUDAEvent uploaded_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Accelerator>> OpenCard(int index) {
  try {
    return std::make_unique<Card>(index);
  } catch (const std::exception& error) {
    const absl::string_view text = error.what();
    return base::FailedPrecondition(
        "DEVICE_MISSING", absl::StrCat("cuda:", index, " cannot be used: ", text.substr(0, text.find('\n')),
                                       ". Use --device cpu, or docs/gpu.md on what may be missing."));
  }
}

}  // namespace sightline::model
