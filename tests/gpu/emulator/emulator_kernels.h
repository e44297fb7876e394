// Kernels that show what the emulator does, right ones and wrong ones.
#ifndef SIGHTLINE_TESTS_GPU_EMULATOR_EMULATOR_KERNELS_H_
#define SIGHTLINE_TESTS_GPU_EMULATOR_EMULATOR_KERNELS_H_

#include <cuda_runtime.h>

namespace sightline::testing {

// One sum for each block.
cudaError_t Sum(const float* values, int count, int blocks, float* sums, cudaStream_t stream);
// `racy`: without the barrier that it needs.
cudaError_t Reverse(int* values, int count, bool racy, cudaStream_t stream);
// Half of the block's threads come to the barrier.
cudaError_t HalfABarrier(cudaStream_t stream);
cudaError_t Write(int* values, int at, cudaStream_t stream);
// What a shuffle by 3, a ballot and a shuffle within 8 give the 32 lanes.
cudaError_t LanesOf(unsigned* out, cudaStream_t stream);

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_GPU_EMULATOR_EMULATOR_KERNELS_H_
