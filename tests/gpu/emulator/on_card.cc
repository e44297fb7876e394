// emulator.h on a real card: the same tests, against the real runtime. Calls of CUDA's runtime go through here
// (the linker's --wrap, CMakeLists.txt), which counts memory and blocks, and fails what a test wants to see fail. What
// is not failed is done by the card.
//
// Threading and failure: as emulator.h says. The seed means nothing: a card has its own order.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

#include "tests/gpu/emulator/emulator.h"

// Until CUDA 13 its headers turn the name into this one.
#if CUDART_VERSION < 13000
#define __real_cudaGetDeviceProperties __real_cudaGetDeviceProperties_v2
#define __wrap_cudaGetDeviceProperties __wrap_cudaGetDeviceProperties_v2
#endif

extern "C" {
cudaError_t __real_cudaMalloc(void** pointer, size_t bytes);
cudaError_t __real_cudaFree(void* pointer);
cudaError_t __real_cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t __real_cudaGetLastError();
cudaError_t __real_cudaPeekAtLastError();
cudaError_t __real_cudaLaunchKernel(const void* kernel, dim3 grid, dim3 block, void** arguments, size_t shared_bytes,
                                    cudaStream_t stream);
#if CUDART_VERSION >= 13000
// What <<<>>> becomes since CUDA 13.
cudaError_t __real___cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared_bytes,
                                      cudaStream_t stream);
#endif
}

namespace {

class Ration {
 public:
  cudaError_t Allocate(void** pointer, size_t bytes) {
    const std::lock_guard lock(mutex_);
    *pointer = nullptr;
    if (mallocs_left_ == 0) return cudaErrorMemoryAllocation;
    if (mallocs_left_ > 0) --mallocs_left_;
    if (bytes > total_ - std::min(total_, used_)) return cudaErrorMemoryAllocation;
    const cudaError_t error = __real_cudaMalloc(pointer, bytes);
    if (error == cudaSuccess && *pointer != nullptr) {
      pieces_[*pointer] = bytes;
      used_ += bytes;
    }
    return error;
  }
  cudaError_t Free(void* pointer) {
    const std::lock_guard lock(mutex_);
    if (const auto piece = pieces_.find(pointer); piece != pieces_.end()) {
      used_ -= piece->second;
      pieces_.erase(piece);
    }
    return __real_cudaFree(pointer);
  }
  // Whether the launch may be made.
  bool Launch(const dim3& grid) {
    const std::lock_guard lock(mutex_);
    if (launches_left_ == 0) return false;
    if (launches_left_ > 0) --launches_left_;
    blocks_ += static_cast<int64_t>(grid.x) * grid.y * grid.z;
    return true;
  }

  void SetTotal(size_t bytes) {
    const std::lock_guard lock(mutex_);
    total_ = bytes;
  }
  void FailMallocAfter(int successes) {
    const std::lock_guard lock(mutex_);
    mallocs_left_ = successes;
  }
  void FailLaunchAfter(int successes) {
    const std::lock_guard lock(mutex_);
    launches_left_ = successes;
  }
  size_t used() {
    const std::lock_guard lock(mutex_);
    return used_;
  }
  size_t total() {
    const std::lock_guard lock(mutex_);
    return total_;
  }
  int64_t blocks() {
    const std::lock_guard lock(mutex_);
    return blocks_;
  }

 private:
  std::mutex mutex_;
  std::map<void*, size_t> pieces_;
  size_t total_ = size_t{1} << 30;  // as the emulated card has
  size_t used_ = 0;
  int mallocs_left_ = -1;
  int launches_left_ = -1;
  int64_t blocks_ = 0;
};

// Never destroyed: what frees memory may outlive it.
Ration& TheRation() {
  static Ration* const ration = new Ration;
  return *ration;
}

// Of a launch that was not made.
thread_local cudaError_t failed_launch = cudaSuccess;

class NeedsCard : public ::testing::Environment {
  void SetUp() override {
    int cards = 0;
    if (cudaGetDeviceCount(&cards) == cudaSuccess && cards > 0) return;
    // Were they skipped from here, GoogleTest would say that all tests have passed.
    std::puts("there is no card");
    std::exit(77);
  }
};
[[maybe_unused]] const auto* const needs_card = ::testing::AddGlobalTestEnvironment(new NeedsCard);

}  // namespace

namespace sightline::emulator {

void SetMemory(size_t bytes) { TheRation().SetTotal(bytes); }
size_t UsedMemory() { return TheRation().used(); }
void FailMallocAfter(int successes) { TheRation().FailMallocAfter(successes); }
void FailLaunchAfter(int successes) { TheRation().FailLaunchAfter(successes); }
void SetSeed(uint32_t) {}
int64_t BlocksRun() { return TheRation().blocks(); }

}  // namespace sightline::emulator

extern "C" {

cudaError_t __wrap_cudaMalloc(void** pointer, size_t bytes) { return TheRation().Allocate(pointer, bytes); }
cudaError_t __wrap_cudaFree(void* pointer) { return TheRation().Free(pointer); }

cudaError_t __wrap_cudaMemGetInfo(size_t* free, size_t* total) {
  *total = TheRation().total();
  *free = *total - std::min(*total, TheRation().used());
  return cudaSuccess;
}

cudaError_t __wrap_cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const cudaError_t error = __real_cudaGetDeviceProperties(properties, device);
  if (error == cudaSuccess) properties->totalGlobalMem = TheRation().total();
  return error;
}

cudaError_t __wrap_cudaGetLastError() {
  const cudaError_t failed = std::exchange(failed_launch, cudaSuccess), real = __real_cudaGetLastError();
  return failed != cudaSuccess ? failed : real;
}
cudaError_t __wrap_cudaPeekAtLastError() {
  return failed_launch != cudaSuccess ? failed_launch : __real_cudaPeekAtLastError();
}

cudaError_t __wrap_cudaLaunchKernel(const void* kernel, dim3 grid, dim3 block, void** arguments, size_t shared_bytes,
                                    cudaStream_t stream) {
  if (!TheRation().Launch(grid)) return failed_launch = cudaErrorLaunchFailure;
  return __real_cudaLaunchKernel(kernel, grid, block, arguments, shared_bytes, stream);
}
#if CUDART_VERSION >= 13000
cudaError_t __wrap___cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared_bytes,
                                      cudaStream_t stream) {
  if (!TheRation().Launch(grid)) return failed_launch = cudaErrorLaunchFailure;
  return __real___cudaLaunchKernel(kernel, grid, block, arguments, shared_bytes, stream);
}
#endif

}  // extern "C"
