// How kernels read tokens (transport_kernels.h says how they lie). Included by .cu files.
//
// Threading: device functions. Failure: none.
#ifndef SIGHTLINE_INDEX_RERANK_TOKEN_QUADS_H_
#define SIGHTLINE_INDEX_RERANK_TOKEN_QUADS_H_

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "index/rerank/transport_kernels.h"

namespace sightline::index::rerank {

inline __device__ int CodesAt(const void* quads, int at) { return __ldg(static_cast<const int*>(quads) + at); }

inline __device__ float4 QuadAt(const void* quads, QuadKind kind, int at) {
  if (kind == QuadKind::kFloat32) return __ldg(static_cast<const float4*>(quads) + at);
  if (kind == QuadKind::kFloat16) {
    const __half2* const halves = static_cast<const __half2*>(quads) + 2 * at;
    const float2 low = __half22float2(halves[0]), high = __half22float2(halves[1]);
    return make_float4(low.x, low.y, high.x, high.y);
  }
  const unsigned codes = static_cast<unsigned>(CodesAt(quads, at));
  return make_float4(static_cast<signed char>(codes), static_cast<signed char>(codes >> 8),
                     static_cast<signed char>(codes >> 16), static_cast<signed char>(codes >> 24));
}

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_TOKEN_QUADS_H_
