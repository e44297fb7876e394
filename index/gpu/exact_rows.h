// The kernels of exact search on a card: scores of rows in half precision with up to 8 queries in one pass, the best of
// which are kept on the way ("fused"), so that nothing but them is written.
//
// Each block of threads reads rounds of 256 rows. A warp scores four rows at a time with every query: a lane reads 16
// bytes (8 values) of each row, and the values of the queries from shared memory once for the four. A score above the
// block's bar is put into the block's buffer in shared memory; when that is nearly full it is sorted, cut to `wanted`,
// and the bar raised to the last one kept. The blocks' lists are merged, 16 into one, until one is left.
//
// A score and its row are one key, larger for the better score and among equal ones for the lower row. Keys differ, so
// the best `wanted` do not depend on the order in which blocks and threads happen to run.
//
// Why the bandwidth of memory is what limits it, on an H200 (132 SMs, 1.7 GHz, 4.8 TB/s) with 1 M rows of 1,536 values,
// 3.07 GB, 0.64 ms at full bandwidth:
//   arithmetic   per 8 values 4 conversions of pairs and 8 FMA a query: 1.5 G values * (0.5 + 1) / 32 lanes = 74 M
//                instructions of a warp against 132 * 4 * 1.7 G/s, 0.08 ms; 8 queries: (0.5 + 8) / 32, 0.47 ms
//   shared       32 bytes of query a lane for 4 * 8 values: 1.5 G / 32 * 32 B = 1.5 GB against 132 * 128 B * 1.7 G/s,
//                0.05 ms; 8 queries 0.43 ms
//   in flight    4.8 TB/s * 0.8 us = 3.8 MB, 29 KB an SM; 24 warps with one step of 2 KB ahead of the one at
//                work are 48 KB at least
//   selection    per block of 2,600 rows a few sorts of 512 keys, some 3 us each beside the other blocks of the SM;
//                merging three launches, some 20 us
// which leaves 0.64 + 0.03 ms plus what the two barriers of a round and the last, uneven round cost (about 10 %):
// some 0.75 ms, or 85 % of the bandwidth.
//
// The sum of a score: each lane adds up to 8 ceil(vectors / 32) products with fmaf, then five sums across lanes, so its
// rounding is at most (dim / 32 + 24) 2^-24 relative to |q| |x'|. It depends on the query and the row alone. Built
// without -use_fast_math: denormals count.
//
// Threading: launches from any thread, into its stream; they do not wait. Ownership: borrows all memory until the
// stream is done. Failure: cudaError_t.
//
//   AllowScans(shared_bytes);
//   LaunchScan(rows, queries, blocks, lists, stream);
//   while (blocks > 1) { LaunchMerge(lists, blocks, queries.count, queries.wanted, merged, stream); ... }
#ifndef SIGHTLINE_INDEX_GPU_EXACT_ROWS_H_
#define SIGHTLINE_INDEX_GPU_EXACT_ROWS_H_

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace sightline::index::gpu {

inline constexpr unsigned kMostQueries = 8;
inline constexpr unsigned kMostWanted = 1024;
inline constexpr unsigned kRoundRows = 256;
inline constexpr unsigned kListsMerged = 16;

// All pointers are into the card's memory.
struct ScanRows {
  const uint4* const* blocks = nullptr;  // null for a block without visible rows
  unsigned block_shift = 0;              // a block has 1 << block_shift rows
  unsigned vectors = 0;                  // a row has so many times 16 bytes, 8 values each
  unsigned end = 0;                      // of the rows any query looks at
};

struct ScanQueries {
  const float* values = nullptr;               // 8 * vectors of each query, zeros behind dim
  const uint32_t* visible[kMostQueries] = {};  // bits of the rows before end[query]
  unsigned end[kMostQueries] = {};
  unsigned count = 0;   // 1 to kMostQueries
  unsigned wanted = 0;  // 1 to kMostWanted
};

// A key of 0 is none.
inline float ScoreOfKey(uint64_t key) {
  const uint32_t ordered = static_cast<uint32_t>(key >> 32);
  const uint32_t bits = ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered;
  float score;
  static_assert(sizeof(score) == sizeof(bits));
  __builtin_memcpy(&score, &bits, sizeof(score));
  return score;
}
inline uint32_t RowOfKey(uint64_t key) { return ~static_cast<uint32_t>(key); }

// Lets the scans of the current card use so much shared memory in a block. Once for each card, before the first scan:
// what one thread allows while another launches would be the other's too.
cudaError_t AllowScans(size_t shared_bytes);
// Of one block of threads; where it is more than the card has, fewer queries are to share a pass.
size_t ScanSharedBytes(unsigned queries, unsigned wanted, unsigned vectors);
// How many blocks of a scan an SM runs at once.
unsigned ScanBlocksPerSm(unsigned queries);

// The best `wanted` keys of each block and query, best first, then zeros, at lists[(query * blocks + block) * wanted].
cudaError_t LaunchScan(const ScanRows& rows, const ScanQueries& queries, unsigned blocks, uint64_t* lists,
                       cudaStream_t stream);
// Of each query's `lists` lists, so laid out, kListsMerged into one.
cudaError_t LaunchMerge(const uint64_t* lists, unsigned count, unsigned queries, unsigned wanted, uint64_t* merged,
                        cudaStream_t stream);

}  // namespace sightline::index::gpu

#endif  // SIGHTLINE_INDEX_GPU_EXACT_ROWS_H_
