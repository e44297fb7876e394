// What differs between nvcc and the emulator of tests/gpu/emulator in the language of a kernel: how it is started, and
// how it gets at shared memory whose size the start decides.
//
//   SIGHTLINE_LAUNCH(kernel, grid, block, shared_bytes, stream)(a, b);
//   SIGHTLINE_DYNAMIC_SHARED(float, sums);  // in the kernel; aligned to 16
//
// Both are void; ask cudaGetLastError.
#ifndef SIGHTLINE_INDEX_GPU_LAUNCH_H_
#define SIGHTLINE_INDEX_GPU_LAUNCH_H_

#include <cuda_runtime.h>

#ifdef SIGHTLINE_CUDA_EMULATED
#define SIGHTLINE_LAUNCH(kernel, grid, block, shared_bytes, stream)                               \
  [&](auto... arguments) {                                                                        \
    ::sightline::emulator::LaunchKernel(kernel, grid, block, shared_bytes, stream, arguments...); \
  }
#define SIGHTLINE_DYNAMIC_SHARED(type, name) \
  type* const name = static_cast<type*>(::sightline::emulator::DynamicShared())
#else
#define SIGHTLINE_LAUNCH(kernel, grid, block, shared_bytes, stream) (kernel)<<<grid, block, shared_bytes, stream>>>
#define SIGHTLINE_DYNAMIC_SHARED(type, name)                    \
  extern __shared__ __align__(16) unsigned char name##_bytes[]; \
  type* const name = reinterpret_cast<type*>(name##_bytes)
#endif

#endif  // SIGHTLINE_INDEX_GPU_LAUNCH_H_
