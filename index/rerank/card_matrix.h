// K of a pair, from its tokens: what LaunchTransport's blocks begin with. Included by transport.cu.
//
// Threading: a device function, for all threads of a block; a barrier has to follow. Failure: none.
#ifndef SIGHTLINE_INDEX_RERANK_CARD_MATRIX_H_
#define SIGHTLINE_INDEX_RERANK_CARD_MATRIX_H_

#include <cuda_runtime.h>

#include "index/rerank/token_quads.h"
#include "index/rerank/transport_kernels.h"

namespace sightline::index::rerank {

// That of index/kernels/scaling.h, 2^-123: smaller entries are made as large as this.
inline constexpr float kLeastEntry = 9.4039548e-38f;

// K, tile by tile. The columns of a tile are far apart, so that those of neighbouring threads are neighbours.
template <bool kCodes>
inline __device__ void FillMatrix(const CardPair& pair, int rows, int columns, const CardRounds& how, float* matrix) {
  constexpr int kTile = 4;
  const CardTokens& of_rows = pair.rows.tokens;
  const CardTokens& of_columns = pair.columns.tokens;
  const int row_tiles = (rows + kTile - 1) / kTile, column_tiles = (columns + kTile - 1) / kTile;
  const float inverse = 1 / how.epsilon;
  for (int tile = static_cast<int>(threadIdx.x); tile < row_tiles * column_tiles;
       tile += static_cast<int>(blockDim.x)) {
    const int row = tile / column_tiles * kTile, column = tile % column_tiles;
    int row_cells[kTile], column_cells[kTile];
#pragma unroll
    for (int i = 0; i < kTile; ++i) {
      row_cells[i] = pair.rows.chosen[min(row + i, rows - 1)];
      column_cells[i] = pair.columns.chosen[min(column + i * column_tiles, columns - 1)];
    }
    float products[kTile][kTile];
    if constexpr (kCodes) {
      int sums[kTile][kTile] = {};
#pragma unroll 2
      for (int quad = 0; quad < how.quads; ++quad) {
        int a[kTile], b[kTile];
#pragma unroll
        for (int i = 0; i < kTile; ++i) {
          a[i] = CodesAt(of_rows.quads, quad * of_rows.cells + row_cells[i]);
          b[i] = CodesAt(of_columns.quads, quad * of_columns.cells + column_cells[i]);
        }
#pragma unroll
        for (int i = 0; i < kTile; ++i) {
#pragma unroll
          for (int j = 0; j < kTile; ++j) sums[i][j] = __dp4a(a[i], b[j], sums[i][j]);
        }
      }
#pragma unroll
      for (int i = 0; i < kTile; ++i) {
#pragma unroll
        for (int j = 0; j < kTile; ++j) products[i][j] = static_cast<float>(sums[i][j]);
      }
    } else {
#pragma unroll
      for (int i = 0; i < kTile; ++i) {
#pragma unroll
        for (int j = 0; j < kTile; ++j) products[i][j] = 0;
      }
      for (int quad = 0; quad < how.quads; ++quad) {
        float4 a[kTile], b[kTile];
#pragma unroll
        for (int i = 0; i < kTile; ++i) {
          a[i] = QuadAt(of_rows.quads, of_rows.kind, quad * of_rows.cells + row_cells[i]);
          b[i] = QuadAt(of_columns.quads, of_columns.kind, quad * of_columns.cells + column_cells[i]);
        }
#pragma unroll
        for (int i = 0; i < kTile; ++i) {
#pragma unroll
          for (int j = 0; j < kTile; ++j) {
            products[i][j] += a[i].x * b[j].x + a[i].y * b[j].y + a[i].z * b[j].z + a[i].w * b[j].w;
          }
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kTile; ++i) {
#pragma unroll
      for (int j = 0; j < kTile; ++j) {
        if (row + i >= rows || column + j * column_tiles >= columns) continue;
        const float cosine = products[i][j] * of_rows.norms[row_cells[i]] * of_columns.norms[column_cells[j]];
        matrix[(row + i) * columns + column + j * column_tiles] = fmaxf(expf((cosine - 1) * inverse), kLeastEntry);
      }
    }
  }
}

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_CARD_MATRIX_H_
