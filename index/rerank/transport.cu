// One block per pair: K, the rounds, the score; PairScorer on the card, line by line where the stop rule and the checks
// of float32's range are concerned.
//
// What it costs, as computed, for 14x14x128 in int8, where K is 196 x 196 floats = 154 KB and stays in shared memory (a
// block per multiprocessor; 160 KB with all vectors, of 163 KB on an A100 and 227 KB on an H200):
//
//   similarities  196 * 196 * 32 = 1.23 M __dp4a, at 64 a clock 19 k clocks. Tiles of 4 x 4 need 8 words for 16 of
//                 them: 8 wavefronts of the first-level cache for 8 clocks of arithmetic, so up to twice that.
//   a round       reads K twice, once by rows and once by columns: 2 * 154 KB at 128 bytes a clock = 2,400 clocks; the
//                 vectors add a quarter. With three barriers, sums over lanes and divisions about 5 k clocks; 77 k
//                 multiply-adds (600 clocks at 128 a clock) do not count. Shared memory is where the time goes.
//   in all        at 1.7 GHz 15 to 25 us and 3 us a round: 100 rounds, the most by default, are 0.35 ms. 100 pairs run
//                 at once on an H200's 132 multiprocessors.
//
// K in the card's memory (more than 40 k entries) is read at its bandwidth or the second-level cache's: 4 MB for the
// largest grids, 100 of them 0.8 GB a round, 0.17 ms on an H200.
//
// A round is r = u / (K c) by warps, four rows at a time, then K^T r by threads, a column and a part of the rows each.
// While those sums are made, the first warp looks at what the rows gave; all threads read its verdict, and so leave
// together. All sums are in a fixed order: a pair's score does not depend on the pairs beside it.
#include <cuda_runtime.h>

#include <cfloat>

#include "index/gpu/launch.h"
#include "index/rerank/card_matrix.h"
#include "index/rerank/transport_kernels.h"

namespace sightline::index::rerank {
namespace {

constexpr int kMostThreads = 512;
// Small matrices give more threads nothing to do.
constexpr int kSmallMatrix = 4096, kFewThreads = 128;
constexpr size_t kSharedWithoutAsking = 48 << 10;
// Of a block's, for what the kernels declare besides.
constexpr int kSharedBesides = 1 << 10;
constexpr unsigned kAllLanes = 0xffffffffu;

// Those of pair_scorer.cc.
constexpr double kLostPart = 1e-6;
constexpr float kMostScaling = 1e30f;

int ThreadsFor(const CardShape& shape) {
  return shape.most_rows * shape.most_columns <= kSmallMatrix ? kFewThreads : kMostThreads;
}

// What the vectors take before K; their order is that of Vectors.
inline __host__ __device__ int VectorFloats(int rows, int columns, int threads) {
  return 4 * ((rows + 3) / 4 * 4) + 3 * columns + (columns > threads ? columns : threads);
}

// Rows are padded so that those of r are read four at a time.
struct Vectors {
  __device__ Vectors(float* shared, int rows, int columns) {
    const int padded = (rows + 3) / 4 * 4;
    r = shared;
    next_r = r + padded;
    products = next_r + padded;
    u = products + padded;
    v = u + padded;
    c = v + columns;
    column_sums = c + columns;
    partial_sums = column_sums + columns;
  }

  float* r;
  float* next_r;
  float* products;  // of the rows of K with c
  float* u;
  float* v;
  float* c;
  float* column_sums;   // that c was made of; the greatest float where a column has no weight
  float* partial_sums;  // a part of the rows each, one after the other
};

// What is known of a round once its rows are scaled; without the dummies.
struct Verdict {
  float row_error;
  float sum_r, sum_c;
  float least_product, least_column;
};

__device__ int Lane() { return static_cast<int>(threadIdx.x % 32); }
__device__ int Warp() { return static_cast<int>(threadIdx.x / 32); }
__device__ int Warps() { return static_cast<int>(blockDim.x / 32); }

template <typename T>
__device__ T SumOfLanes(T value) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(kAllLanes, value, lanes);
  return value;
}

__device__ float LeastOfLanes(float value) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value = fminf(value, __shfl_xor_sync(kAllLanes, value, lanes));
  return value;
}

// Four sums over the lanes for the price of one and a half: lanes 8 i to 8 i + 7 get that of value i.
__device__ float SumsOfFour(float a, float b, float c, float d) {
  const bool upper = (Lane() & 16) != 0, odd = (Lane() & 8) != 0;
  float first = upper ? c : a, second = upper ? d : b;
  first += __shfl_xor_sync(kAllLanes, upper ? a : c, 16);
  second += __shfl_xor_sync(kAllLanes, upper ? b : d, 16);
  float sum = odd ? second : first;
  sum += __shfl_xor_sync(kAllLanes, odd ? first : second, 8);
  for (int lanes = 4; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(kAllLanes, sum, lanes);
  return sum;
}

// next_r = u / (K c).
__device__ void ScaleRows(const float* matrix, int rows, int columns, float dummy_product, const Vectors& at) {
  for (int first = 4 * Warp(); first < rows; first += 4 * Warps()) {
    const float* const a = matrix + first * columns;
    const float* const b = matrix + min(first + 1, rows - 1) * columns;
    const float* const c = matrix + min(first + 2, rows - 1) * columns;
    const float* const d = matrix + min(first + 3, rows - 1) * columns;
    float sum_a = 0, sum_b = 0, sum_c = 0, sum_d = 0;
    for (int column = Lane(); column < columns; column += 32) {
      const float scaling = at.c[column];
      sum_a += a[column] * scaling;
      sum_b += b[column] * scaling;
      sum_c += c[column] * scaling;
      sum_d += d[column] * scaling;
    }
    const float product = SumsOfFour(sum_a, sum_b, sum_c, sum_d) + dummy_product;
    const int row = first + Lane() / 8;
    if (Lane() % 8 == 0 && row < rows) {
      at.products[row] = product;
      at.next_r[row] = at.u[row] / product;
    }
  }
}

// For one warp; all its lanes get it.
__device__ Verdict Judge(const Vectors& at, int rows, int columns) {
  Verdict verdict = {0, 0, 0, FLT_MAX, FLT_MAX};
  for (int row = Lane(); row < rows; row += 32) {
    const float u = at.u[row], product = at.products[row];
    verdict.row_error += fabsf(at.r[row] * product - u);
    verdict.sum_r += at.next_r[row];
    if (u > 0) verdict.least_product = fminf(verdict.least_product, product);
  }
  for (int column = Lane(); column < columns; column += 32) {
    verdict.sum_c += at.c[column];
    verdict.least_column = fminf(verdict.least_column, at.column_sums[column]);
  }
  verdict.row_error = SumOfLanes(verdict.row_error);
  verdict.sum_r = SumOfLanes(verdict.sum_r);
  verdict.sum_c = SumOfLanes(verdict.sum_c);
  verdict.least_product = LeastOfLanes(verdict.least_product);
  verdict.least_column = LeastOfLanes(verdict.least_column);
  return verdict;
}

// Parts of K^T next_r.
__device__ void AddToColumns(const float* matrix, int rows, int columns, int parts, const Vectors& at) {
  const int rows_of_part = ((rows + parts - 1) / parts + 3) / 4 * 4;
  for (int place = static_cast<int>(threadIdx.x); place < parts * columns; place += static_cast<int>(blockDim.x)) {
    const int part = place / columns, column = place - part * columns;
    const int begin = part * rows_of_part, end = min(rows, begin + rows_of_part);
    const float* entry = matrix + begin * columns + column;
    float sum = 0;
    int row = begin;
#pragma unroll 2
    for (; row + 4 <= end; row += 4, entry += 4 * columns) {
      const float4 r = *reinterpret_cast<const float4*>(at.next_r + row);
      sum += entry[0] * r.x + entry[columns] * r.y + entry[2 * columns] * r.z + entry[3 * columns] * r.w;
    }
    for (; row < end; ++row, entry += columns) sum += entry[0] * at.next_r[row];
    at.partial_sums[place] = sum;
  }
}

// c = v / (K^T r).
__device__ void ScaleColumns(int columns, int parts, float dummy_sum, const Vectors& at) {
  for (int column = static_cast<int>(threadIdx.x); column < columns; column += static_cast<int>(blockDim.x)) {
    float sum = dummy_sum;
    for (int part = 0; part < parts; ++part) sum += at.partial_sums[part * columns + column];
    const float weight = at.v[column];
    at.column_sums[column] = weight > 0 ? sum : FLT_MAX;
    at.c[column] = weight > 0 ? weight / sum : 0;
  }
}

// Of each row of the plan but for r: its sum in `products`, its sum with the cosines in `next_r`. The cosines come back
// out of K: 1 + epsilon * log K is as exact as they went in, and an entry that was lifted to kLeastEntry does not
// count.
__device__ void ScoreRows(const float* matrix, int rows, int columns, float epsilon, const Vectors& at) {
  for (int first = 2 * Warp(); first < rows; first += 2 * Warps()) {
    const float* const a = matrix + first * columns;
    const float* const b = matrix + min(first + 1, rows - 1) * columns;
    float mass_a = 0, mass_b = 0, sum_a = 0, sum_b = 0;
    for (int column = Lane(); column < columns; column += 32) {
      const float scaling = at.c[column], of_a = a[column] * scaling, of_b = b[column] * scaling;
      mass_a += of_a;
      mass_b += of_b;
      sum_a += of_a * (1 + epsilon * logf(a[column]));
      sum_b += of_b * (1 + epsilon * logf(b[column]));
    }
    const float sum = SumsOfFour(mass_a, mass_b, sum_a, sum_b);
    const int row = first + Lane() / 8 % 2;
    if (Lane() % 8 == 0 && row < rows) (Lane() < 16 ? at.products : at.next_r)[row] = sum;
  }
}

struct Dummies {
  float r, c;
};

// For one warp.
__device__ PairScore Score(const Vectors& at, int rows, int columns, const Dummies& dummies, float dummy, float dummy_u,
                           float* row_error, bool* reliable, float sum_r) {
  double structural = 0, mass = 0;
  float error = 0, sum_c = 0, least_column = FLT_MAX;
  for (int row = Lane(); row < rows; row += 32) {
    const float r = at.r[row], of_row = r * at.products[row];
    mass += of_row;
    structural += static_cast<double>(r) * at.next_r[row];
    error += fabsf(of_row + r * dummy * dummies.c - at.u[row]);
  }
  for (int column = Lane(); column < columns; column += 32) {
    sum_c += at.c[column];
    least_column = fminf(least_column, at.column_sums[column]);
  }
  PairScore score;
  score.structural = SumOfLanes(structural);
  score.mass = SumOfLanes(mass);
  *row_error = SumOfLanes(error);
  sum_c = SumOfLanes(sum_c);
  if (dummy > 0) *row_error += fabsf(dummies.r * dummy * sum_c - dummy_u);
  least_column = LeastOfLanes(least_column);
  *reliable =
      least_column * kLostPart >= static_cast<double>(sum_r) * kLeastEntry && fabs(score.structural) < kMostScaling;
  return score;
}

template <bool kCodes, bool kInShared>
__global__ void __launch_bounds__(kMostThreads)
    TransportKernel(const CardPair* pairs, CardRounds how, PairScore* scores) {
  SIGHTLINE_DYNAMIC_SHARED(float, shared);
  __shared__ Verdict of_round;
  const CardPair pair = pairs[blockIdx.x];
  const int rows = pair.rows.total->count, columns = pair.columns.total->count;
  const int begin = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  if (rows == 0 || columns == 0) {
    if (begin == 0) scores[blockIdx.x] = {0, 0, 0, PairOutcome::kConverged};
    return;
  }
  Vectors at(shared, rows, columns);
  float* const matrix = kInShared ? shared + VectorFloats(rows, columns, threads) : pair.matrix;
  FillMatrix<kCodes>(pair, rows, columns, how, matrix);
  for (int row = begin; row < rows; row += threads) {
    at.u[row] = pair.rows.weights[row];
    at.r[row] = 1;
  }
  for (int column = begin; column < columns; column += threads) {
    at.v[column] = pair.columns.weights[column];
    at.c[column] = 1;
    at.column_sums[column] = FLT_MAX;
  }
  const float dummy = how.dummy;
  const float dummy_u = static_cast<float>(how.rest / pair.rows.total->sum);
  const float dummy_v = static_cast<float>(how.rest / pair.columns.total->sum);
  const int parts = columns < threads ? threads / columns : 1;
  __syncthreads();

  Dummies dummies = {1, 1};
  float sum_r = 0;  // of the r that column_sums was made with
  int round = 0;
  bool converged = false, reliable = true;
  for (; round < how.max_rounds; ++round) {
    ScaleRows(matrix, rows, columns, dummy * dummies.c, at);
    __syncthreads();
    if (Warp() == 0) {
      const Verdict verdict = Judge(at, rows, columns);
      if (Lane() == 0) of_round = verdict;
    }
    AddToColumns(matrix, rows, columns, parts, at);
    __syncthreads();
    const Verdict verdict = of_round;
    float row_error = verdict.row_error, least = verdict.least_product, next_dummy_r = dummies.r;
    if (dummy > 0) {
      const float product = dummy * verdict.sum_c;
      next_dummy_r = dummy_u / product;
      row_error += fabsf(dummies.r * product - dummy_u);
      least = fminf(least, product);
    }
    // False for NaN, of which a sum tells.
    reliable = verdict.sum_r < kMostScaling && verdict.sum_c < kMostScaling &&
               least * kLostPart >= static_cast<double>(verdict.sum_c) * kLeastEntry &&
               verdict.least_column * kLostPart >= static_cast<double>(sum_r) * kLeastEntry;
    // A round tells how far off the one before it ended.
    converged = round > 0 && row_error <= how.tolerance;
    if (!reliable || converged) break;
    sum_r = verdict.sum_r;
    ScaleColumns(columns, parts, dummy > 0 ? dummy * next_dummy_r : 0, at);
    if (dummy > 0) dummies = {next_dummy_r, dummy_v / (dummy * sum_r)};
    float* const before = at.r;
    at.r = at.next_r;
    at.next_r = before;
    __syncthreads();
  }
  if (!reliable) {
    if (begin == 0) scores[blockIdx.x] = {0, 0, round, PairOutcome::kLeftToCpu};
    return;
  }

  ScoreRows(matrix, rows, columns, how.epsilon, at);
  __syncthreads();
  if (Warp() != 0) return;
  float row_error = 0;
  PairScore score = Score(at, rows, columns, dummies, dummy, dummy_u, &row_error, &reliable, sum_r);
  score.structural *= pair.columns.total->sum;
  score.mass *= pair.columns.total->sum;
  score.rounds = round;
  score.outcome = !reliable                                 ? PairOutcome::kLeftToCpu
                  : converged || row_error <= how.tolerance ? PairOutcome::kConverged
                                                            : PairOutcome::kRoundsEnded;
  if (Lane() == 0) scores[blockIdx.x] = score;
}

template <bool kCodes, bool kInShared>
cudaError_t Launch(const CardPair* pairs, int count, const CardShape& shape, const CardRounds& rounds,
                   PairScore* scores, cudaStream_t stream) {
  const size_t bytes = TransportSharedBytes(shape);
  if (bytes > kSharedWithoutAsking) {
    // As much as there may be: another thread may be about to start the same kernel with another size.
    size_t limit = 0;
    cudaError_t error = TransportSharedLimit(&limit);
    if (error == cudaSuccess) {
      error = cudaFuncSetAttribute(TransportKernel<kCodes, kInShared>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(limit));
    }
    if (error != cudaSuccess) return error;
  }
  SIGHTLINE_LAUNCH((TransportKernel<kCodes, kInShared>), dim3(static_cast<unsigned>(count)),
                   dim3(static_cast<unsigned>(ThreadsFor(shape))), bytes, stream)
  (pairs, rounds, scores);
  return cudaGetLastError();
}

}  // namespace

cudaError_t TransportSharedLimit(size_t* bytes) {
  int device = 0, most = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (error == cudaSuccess) *bytes = static_cast<size_t>(max(most - kSharedBesides, 0));
  return error;
}

size_t TransportSharedBytes(const CardShape& shape) {
  const size_t rows = static_cast<size_t>(shape.most_rows), columns = static_cast<size_t>(shape.most_columns);
  const size_t vectors = static_cast<size_t>(VectorFloats(shape.most_rows, shape.most_columns, ThreadsFor(shape)));
  return sizeof(float) * (vectors + (shape.matrix_in_shared ? rows * columns : 0));
}

cudaError_t LaunchTransport(const CardPair* pairs, int count, const CardShape& shape, const CardRounds& rounds,
                            PairScore* scores, cudaStream_t stream) {
  if (shape.codes) {
    return shape.matrix_in_shared ? Launch<true, true>(pairs, count, shape, rounds, scores, stream)
                                  : Launch<true, false>(pairs, count, shape, rounds, scores, stream);
  }
  return shape.matrix_in_shared ? Launch<false, true>(pairs, count, shape, rounds, scores, stream)
                                : Launch<false, false>(pairs, count, shape, rounds, scores, stream);
}

}  // namespace sightline::index::rerank
