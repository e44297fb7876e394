#include <cuda_fp16.h>

#include "index/gpu/exact_rows.h"
#include "index/gpu/launch.h"

namespace sightline::index::gpu {
namespace {

using Key = unsigned long long;
static_assert(sizeof(Key) == sizeof(uint64_t));

constexpr unsigned kThreads = 256;
static_assert(kThreads <= kRoundRows, "a round of a merge offers one key a thread");
// Rows that a group of lanes scores at a time: so often are the values of a query used once read.
constexpr unsigned kRowsAtOnce = 4;
constexpr unsigned kWholeWarp = 0xffffffffu;

// Keys of a buffer: `wanted` kept ones and a round of new ones, a power of two for sorting.
__host__ __device__ inline unsigned CapacityFor(unsigned wanted) {
  unsigned capacity = 2 * kRoundRows;
  while (capacity < wanted + kRoundRows) capacity *= 2;
  return capacity;
}

__device__ inline Key KeyOf(float score, unsigned row) {
  const unsigned bits = __float_as_uint(score);
  const unsigned ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return static_cast<Key>(ordered) << 32 | static_cast<Key>(~row);
}

// The best keys of a block of threads, for each of its queries. All threads of the block call every method but Offer.
struct Selection {
  Key* keys;  // capacity of each query
  Key* bar;   // of each query: keys that are not above it are not among the best
  unsigned* count;
  unsigned queries;
  unsigned wanted;
  unsigned capacity;

  static __host__ __device__ size_t Bytes(unsigned queries, unsigned wanted) {
    return queries * (CapacityFor(wanted) * sizeof(Key) + sizeof(Key) + sizeof(unsigned) + 4);
  }

  __device__ Selection(void* shared, unsigned num_queries, unsigned num_wanted)
      : keys(static_cast<Key*>(shared)), queries(num_queries), wanted(num_wanted), capacity(CapacityFor(num_wanted)) {
    bar = keys + queries * capacity;
    count = reinterpret_cast<unsigned*>(bar + queries);
    if (threadIdx.x < queries) {
      bar[threadIdx.x] = 0;
      count[threadIdx.x] = 0;
    }
    __syncthreads();
  }

  // At most kRoundRows of a query in one round.
  __device__ void Offer(unsigned query, Key key) {
    if (key > bar[query]) keys[query * capacity + atomicAdd(&count[query], 1u)] = key;
  }

  __device__ void EndRound() {
    __syncthreads();
    unsigned full = 0;
    for (unsigned query = 0; query < queries; ++query) {
      if (count[query] > capacity - kRoundRows) full |= 1u << query;
    }
    // Every thread has read the counts before one of them goes on to change them.
    __syncthreads();
    for (unsigned query = 0; query < queries; ++query) {
      if (full >> query & 1) Sort(query);
    }
  }

  // Sorts, best first, and keeps no more than `wanted`; zeros stand behind those there are.
  __device__ void Sort(unsigned query) {
    Key* const mine = keys + query * capacity;
    const unsigned there = count[query];
    for (unsigned i = there + threadIdx.x; i < capacity; i += kThreads) mine[i] = 0;
    __syncthreads();
    for (unsigned run = 2; run <= capacity; run *= 2) {
      for (unsigned distance = run / 2; distance > 0; distance /= 2) {
        for (unsigned i = threadIdx.x; i < capacity / 2; i += kThreads) {
          const unsigned low = 2 * i - (i & (distance - 1)), high = low + distance;
          const Key first = mine[low], second = mine[high];
          if ((first < second) == ((low & run) == 0)) {
            mine[low] = second;
            mine[high] = first;
          }
        }
        __syncthreads();
      }
    }
    if (threadIdx.x == 0) {
      count[query] = there < wanted ? there : wanted;
      bar[query] = there < wanted ? 0 : mine[wanted - 1];
    }
    __syncthreads();
  }

  __device__ void Write(unsigned query, Key* out) {
    Sort(query);
    for (unsigned i = threadIdx.x; i < wanted; i += kThreads) out[i] = keys[query * capacity + i];
  }
};

__device__ inline float2 PairOf(unsigned bits) {
  __half2 pair;
  memcpy(&pair, &bits, sizeof(pair));
  return __half22float2(pair);
}

__device__ inline float4 HalfOf(const uint4& values, int half) {
  const float2 first = PairOf(half == 0 ? values.x : values.z), second = PairOf(half == 0 ? values.y : values.w);
  return make_float4(first.x, first.y, second.x, second.y);
}

// The lanes that share a row: all of a warp, or fewer where a row is short.
__host__ __device__ inline unsigned LanesOf(unsigned vectors) {
  unsigned lanes = 4;
  while (lanes < 32 && lanes < vectors) lanes *= 2;
  return lanes;
}

template <unsigned kQueries>
__global__ void __launch_bounds__(kThreads, kQueries <= 2 ? 3 : 2)
    ScanKernel(const ScanRows rows, const ScanQueries queries, Key* lists) {
  SIGHTLINE_DYNAMIC_SHARED(unsigned char, shared);
  // Of each query the first halves of its 32-byte pieces, then the second ones: lanes side by side read 16 bytes side
  // by side.
  float4* const values = reinterpret_cast<float4*>(shared);
  for (unsigned i = threadIdx.x; i < kQueries * rows.vectors * 2; i += kThreads) {
    const unsigned query = i / (rows.vectors * 2), piece = i % (rows.vectors * 2);
    values[(query * 2 + piece % 2) * rows.vectors + piece / 2] =
        query < queries.count ? reinterpret_cast<const float4*>(queries.values)[i] : make_float4(0, 0, 0, 0);
  }
  Selection selection(values + kQueries * rows.vectors * 2, kQueries, queries.wanted);

  const unsigned lanes = LanesOf(rows.vectors), lane = threadIdx.x % lanes;
  const unsigned group_rows = kRowsAtOnce, groups = kThreads / lanes, group = threadIdx.x / lanes;
  const unsigned in_block = (1u << rows.block_shift) - 1;
  const unsigned rounds = (rows.end + kRoundRows - 1) / kRoundRows;

  for (unsigned round = blockIdx.x; round < rounds; round += gridDim.x) {
    for (unsigned tile = 0; tile < kRoundRows; tile += groups * group_rows) {
      const unsigned first = round * kRoundRows + tile + group * group_rows;
      const uint4* at[kRowsAtOnce];
      unsigned seen[kRowsAtOnce];  // by which queries
      bool any = false;
#pragma unroll
      for (unsigned j = 0; j < kRowsAtOnce; ++j) {
        const unsigned row = first + j;
        seen[j] = 0;
#pragma unroll
        for (unsigned query = 0; query < kQueries; ++query) {
          if (query < queries.count && row < queries.end[query]) {
            seen[j] |= (__ldg(queries.visible[query] + row / 32) >> row % 32 & 1) << query;
          }
        }
        at[j] = nullptr;
        if (seen[j] != 0) {
          const uint4* const block = rows.blocks[row >> rows.block_shift];
          at[j] = block + static_cast<size_t>(row & in_block) * rows.vectors;
          any = true;
        }
      }
      if (!__any_sync(kWholeWarp, any)) continue;

      float sums[kRowsAtOnce][kQueries];
#pragma unroll
      for (unsigned j = 0; j < kRowsAtOnce; ++j) {
#pragma unroll
        for (unsigned query = 0; query < kQueries; ++query) sums[j][query] = 0;
      }
      uint4 now[kRowsAtOnce], next[kRowsAtOnce];
#pragma unroll
      for (unsigned j = 0; j < kRowsAtOnce; ++j) {
        next[j] = make_uint4(0, 0, 0, 0);
        if (at[j] != nullptr && lane < rows.vectors) next[j] = __ldcs(at[j] + lane);
      }
      for (unsigned i = lane; i < rows.vectors; i += lanes) {
        // The next step's values are on their way while this one's are used.
#pragma unroll
        for (unsigned j = 0; j < kRowsAtOnce; ++j) {
          now[j] = next[j];
          if (at[j] != nullptr && i + lanes < rows.vectors) next[j] = __ldcs(at[j] + i + lanes);
        }
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float4 x[kRowsAtOnce];
#pragma unroll
          for (unsigned j = 0; j < kRowsAtOnce; ++j) x[j] = HalfOf(now[j], half);
#pragma unroll
          for (unsigned query = 0; query < kQueries; ++query) {
            const float4 q = values[(query * 2 + half) * rows.vectors + i];
#pragma unroll
            for (unsigned j = 0; j < kRowsAtOnce; ++j) {
              float sum = fmaf(q.x, x[j].x, sums[j][query]);
              sum = fmaf(q.y, x[j].y, sum);
              sum = fmaf(q.z, x[j].z, sum);
              sums[j][query] = fmaf(q.w, x[j].w, sum);
            }
          }
        }
      }
      for (unsigned offset = lanes / 2; offset > 0; offset /= 2) {
#pragma unroll
        for (unsigned j = 0; j < kRowsAtOnce; ++j) {
#pragma unroll
          for (unsigned query = 0; query < kQueries; ++query) {
            sums[j][query] += __shfl_xor_sync(kWholeWarp, sums[j][query], static_cast<int>(offset));
          }
        }
      }
      // Every lane has every sum: each offers its share.
#pragma unroll
      for (unsigned j = 0; j < kRowsAtOnce; ++j) {
#pragma unroll
        for (unsigned query = 0; query < kQueries; ++query) {
          if (lane == (j * kQueries + query) % lanes && seen[j] >> query & 1) {
            selection.Offer(query, KeyOf(sums[j][query], first + j));
          }
        }
      }
    }
    selection.EndRound();
  }
  for (unsigned query = 0; query < queries.count; ++query) {
    selection.Write(query, lists + (static_cast<size_t>(query) * gridDim.x + blockIdx.x) * queries.wanted);
  }
}

__global__ void __launch_bounds__(kThreads)
    MergeKernel(const Key* lists, unsigned count, unsigned wanted, Key* merged) {
  SIGHTLINE_DYNAMIC_SHARED(unsigned char, shared);
  Selection selection(shared, 1, wanted);
  const unsigned query = blockIdx.y, begin = blockIdx.x * kListsMerged;
  const unsigned lists_here = min(kListsMerged, count - begin);
  const Key* const mine = lists + (static_cast<size_t>(query) * count + begin) * wanted;
  for (unsigned i = threadIdx.x; i < (lists_here * wanted + kThreads - 1) / kThreads * kThreads; i += kThreads) {
    if (i < lists_here * wanted) selection.Offer(0, mine[i]);
    selection.EndRound();
  }
  selection.Write(0, merged + (static_cast<size_t>(query) * gridDim.x + blockIdx.x) * wanted);
}

// Queries of a scan are compiled for 1, 2, 4 or 8.
unsigned CompiledFor(unsigned queries) { return queries <= 2 ? queries : queries <= 4 ? 4 : 8; }

template <unsigned kQueries>
cudaError_t LaunchScanOf(const ScanRows& rows, const ScanQueries& queries, unsigned blocks, uint64_t* lists,
                         cudaStream_t stream) {
  const size_t bytes = ScanSharedBytes(kQueries, queries.wanted, rows.vectors);
  SIGHTLINE_LAUNCH(ScanKernel<kQueries>, dim3(blocks), dim3(kThreads), bytes, stream)
  (rows, queries, reinterpret_cast<Key*>(lists));
  return cudaGetLastError();
}

template <unsigned kQueries>
cudaError_t AllowShared(size_t bytes) {
  return cudaFuncSetAttribute(ScanKernel<kQueries>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              static_cast<int>(bytes));
}

}  // namespace

cudaError_t AllowScans(size_t shared_bytes) {
  cudaError_t error = AllowShared<1>(shared_bytes);
  if (error == cudaSuccess) error = AllowShared<2>(shared_bytes);
  if (error == cudaSuccess) error = AllowShared<4>(shared_bytes);
  if (error == cudaSuccess) error = AllowShared<8>(shared_bytes);
  return error;
}

size_t ScanSharedBytes(unsigned queries, unsigned wanted, unsigned vectors) {
  const unsigned compiled = CompiledFor(queries);
  return compiled * static_cast<size_t>(vectors) * 2 * sizeof(float4) + Selection::Bytes(compiled, wanted);
}

unsigned ScanBlocksPerSm(unsigned queries) { return queries <= 2 ? 3 : 2; }

cudaError_t LaunchScan(const ScanRows& rows, const ScanQueries& queries, unsigned blocks, uint64_t* lists,
                       cudaStream_t stream) {
  switch (CompiledFor(queries.count)) {
    case 1: return LaunchScanOf<1>(rows, queries, blocks, lists, stream);
    case 2: return LaunchScanOf<2>(rows, queries, blocks, lists, stream);
    case 4: return LaunchScanOf<4>(rows, queries, blocks, lists, stream);
    default: return LaunchScanOf<8>(rows, queries, blocks, lists, stream);
  }
}

cudaError_t LaunchMerge(const uint64_t* lists, unsigned count, unsigned queries, unsigned wanted, uint64_t* merged,
                        cudaStream_t stream) {
  const dim3 grid((count + kListsMerged - 1) / kListsMerged, queries);
  SIGHTLINE_LAUNCH(MergeKernel, grid, dim3(kThreads), Selection::Bytes(1, wanted), stream)
  (reinterpret_cast<const Key*>(lists), count, wanted, reinterpret_cast<Key*>(merged));
  return cudaGetLastError();
}

}  // namespace sightline::index::gpu
