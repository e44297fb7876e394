#include "index/gpu/launch.h"
#include "tests/gpu/emulator/emulator_kernels.h"

namespace sightline::testing {
namespace {

// Each block sums its part by shuffles within warps and shared memory between them.
__global__ void SumKernel(const float* values, int count, float* sums) {
  __shared__ float of_warps[32];
  float sum = 0;
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < count;
       i += static_cast<int>(gridDim.x * blockDim.x)) {
    sum += values[i];
  }
  for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    float all = 0;
    for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) all += of_warps[warp];
    sums[blockIdx.x] = all;
  }
}

__global__ void ReverseKernel(int* values) {
  SIGHTLINE_DYNAMIC_SHARED(int, copy);
  copy[threadIdx.x] = values[threadIdx.x];
  __syncthreads();
  values[threadIdx.x] = copy[blockDim.x - 1 - threadIdx.x];
}

// As ReverseKernel, with the barrier forgotten.
__global__ void RacyReverseKernel(int* values) {
  SIGHTLINE_DYNAMIC_SHARED(int, copy);
  copy[threadIdx.x] = values[threadIdx.x];
  values[threadIdx.x] = copy[blockDim.x - 1 - threadIdx.x];
}

__global__ void HalfABarrierKernel() {
  if (threadIdx.x < blockDim.x / 2) __syncthreads();
}

__global__ void WriteKernel(int* values, int at) { values[at] = 1; }

__global__ void LanesKernel(unsigned* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = static_cast<unsigned>(__shfl_down_sync(0xffffffffu, lane, 3));
  out[32 + lane] = __ballot_sync(0xffffffffu, lane % 3 == 0);
  out[64 + lane] = static_cast<unsigned>(__shfl_sync(0xffffffffu, lane, 2, 8));
}

}  // namespace

cudaError_t Sum(const float* values, int count, int blocks, float* sums, cudaStream_t stream) {
  SIGHTLINE_LAUNCH(SumKernel, blocks, 128, 0, stream)(values, count, sums);
  return cudaGetLastError();
}
cudaError_t Reverse(int* values, int count, bool racy, cudaStream_t stream) {
  const size_t shared = static_cast<size_t>(count) * sizeof(int);
  SIGHTLINE_LAUNCH(racy ? RacyReverseKernel : ReverseKernel, 1, static_cast<unsigned>(count), shared, stream)(values);
  return cudaGetLastError();
}
cudaError_t HalfABarrier(cudaStream_t stream) {
  SIGHTLINE_LAUNCH(HalfABarrierKernel, 1, 64, 0, stream)();
  return cudaGetLastError();
}
cudaError_t Write(int* values, int at, cudaStream_t stream) {
  SIGHTLINE_LAUNCH(WriteKernel, 1, 1, 0, stream)(values, at);
  return cudaGetLastError();
}
cudaError_t LanesOf(unsigned* out, cudaStream_t stream) {
  SIGHTLINE_LAUNCH(LanesKernel, 1, 32, 0, stream)(out);
  return cudaGetLastError();
}

}  // namespace sightline::testing
