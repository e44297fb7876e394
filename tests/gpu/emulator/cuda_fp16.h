// Half precision of CUDA, as far as the sources of this project use it, on the CPU.
#ifndef SIGHTLINE_TESTS_GPU_EMULATOR_CUDA_FP16_H_
#define SIGHTLINE_TESTS_GPU_EMULATOR_CUDA_FP16_H_

#include <cstdint>

#include "cuda_runtime.h"
#include "index/kernels/float16.h"

struct __half {
  uint16_t bits;
};
using half = __half;
struct alignas(4) __half2 {
  __half x, y;
};
using half2 = __half2;

inline __half __float2half_rn(float value) { return {sightline::index::kernels::Float16FromFloat(value)}; }
inline __half __float2half(float value) { return __float2half_rn(value); }
inline float __half2float(__half value) { return sightline::index::kernels::FloatFromFloat16(value.bits); }
inline float2 __half22float2(__half2 value) { return {__half2float(value.x), __half2float(value.y)}; }
inline __half2 __floats2half2_rn(float x, float y) { return {__float2half_rn(x), __float2half_rn(y)}; }

#endif  // SIGHTLINE_TESTS_GPU_EMULATOR_CUDA_FP16_H_
