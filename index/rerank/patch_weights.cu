// One block for each side of each pair: PatchWeights and ChoosePatches (marginals.h, patch_set.h) on the card. A few
// microseconds for a shortlist: a block reads its side's tokens once, 25 KB of 14x14x128 in int8.
#include <cuda_runtime.h>

#include "index/gpu/launch.h"
#include "index/rerank/token_quads.h"
#include "index/rerank/transport_kernels.h"

namespace sightline::index::rerank {
namespace {

constexpr int kThreads = 256;
constexpr unsigned kAllLanes = 0xffffffffu;
// Added to the sum of the weights, as the reference does.
constexpr double kGuard = 1e-5;

__device__ bool UsesCentre(Marginals marginals) {
  return marginals != Marginals::kUniform && marginals != Marginals::kImportance;
}

struct Sum {
  __device__ double operator()(double a, double b) const { return a + b; }
};
struct Greatest {
  __device__ double operator()(double a, double b) const { return a > b ? a : b; }
};

// Of the values of all threads, in an order that is always the same; all threads get it.
template <typename Operation>
__device__ double OfBlock(double value, Operation operation) {
  __shared__ double of_warps[kThreads / 32];
  for (int lanes = 16; lanes > 0; lanes /= 2) value = operation(value, __shfl_xor_sync(kAllLanes, value, lanes));
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
  __syncthreads();
  value = of_warps[0];
  for (int warp = 1; warp < kThreads / 32; ++warp) value = operation(value, of_warps[warp]);
  // The next call writes there again.
  __syncthreads();
  return value;
}

// Of every cell to the other side's centre. Each thread reads and writes cells of its own, here and in Weigh.
__device__ void Cosines(const CardTokens& tokens, const float* centre, int quads, float* cosines) {
  const float4* const of_centre = reinterpret_cast<const float4*>(centre);
  for (int cell = static_cast<int>(threadIdx.x); cell < tokens.cells; cell += kThreads) {
    float4 sum = make_float4(0, 0, 0, 0);
    for (int quad = 0; quad < quads; ++quad) {
      const float4 a = QuadAt(tokens.quads, tokens.kind, quad * tokens.cells + cell), b = __ldg(of_centre + quad);
      sum = make_float4(sum.x + a.x * b.x, sum.y + a.y * b.y, sum.z + a.z * b.z, sum.w + a.w * b.w);
    }
    cosines[cell] = (sum.x + sum.y + sum.z + sum.w) * tokens.norms[cell];
  }
}

// PatchWeights, of the cells that `kept` names.
__device__ void Weigh(const CardTokens& tokens, const CardWeighing& how, const float* cosines, const uint8_t* kept,
                      double* weights) {
  const int begin = static_cast<int>(threadIdx.x);
  double greatest = -1e300;
  if (how.marginals == Marginals::kSoftmax) {
    for (int cell = begin; cell < tokens.cells; cell += kThreads) {
      if (kept[cell] != 0 && cosines[cell] > greatest) greatest = cosines[cell];
    }
    greatest = OfBlock(greatest, Greatest());
  }
  double sum = 0;
  for (int cell = begin; cell < tokens.cells; cell += kThreads) {
    double weight = 0;
    if (kept[cell] != 0) {
      const double cosine = cosines[cell], correlation = cosine > 0 ? cosine : 0;
      switch (how.marginals) {
        case Marginals::kUniform: weight = 1; break;
        case Marginals::kCrossCorrelation: weight = correlation; break;
        case Marginals::kInverse: weight = exp(-correlation / how.temperature); break;
        case Marginals::kMinus: weight = correlation < 1 ? 1 - correlation : 0; break;
        case Marginals::kSoftmax: weight = exp((cosine - greatest) / how.temperature); break;
        case Marginals::kImportance: weight = tokens.importance[cell]; break;
      }
    }
    weights[cell] = weight;
    sum += weight;
  }
  sum = OfBlock(sum, Sum());
  double guard = UsesCentre(how.marginals) ? kGuard : 0;
  if (sum == 0) {
    guard = 0;
    for (int cell = begin; cell < tokens.cells; cell += kThreads) sum += weights[cell] = kept[cell] != 0 ? 1 : 0;
    sum = OfBlock(sum, Sum());
    if (sum == 0) return;
  }
  if (how.marginals == Marginals::kSoftmax) guard *= sum;
  for (int cell = begin; cell < tokens.cells; cell += kThreads) weights[cell] /= sum + guard;
}

// Only the `most` of the greatest weight stay in `kept`; ties go to the earlier one.
__device__ void KeepStrongest(int cells, int most, const double* weights, uint8_t* kept) {
  for (int cell = static_cast<int>(threadIdx.x); cell < cells; cell += kThreads) {
    const double weight = weights[cell];
    int stronger = 0;
    for (int other = 0; other < cells; ++other) {
      stronger += weights[other] > weight || (weights[other] == weight && other < cell) ? 1 : 0;
    }
    kept[cell] = weight > 0 && stronger < most ? 1 : 0;
  }
}

// The cells of a weight above 0, one after the other. For one warp.
__device__ void Gather(const CardSide& side, const double* weights, double sum) {
  const int lane = static_cast<int>(threadIdx.x);
  int count = 0;
  for (int first = 0; first < side.tokens.cells; first += 32) {
    const int cell = first + lane;
    const bool chosen = cell < side.tokens.cells && weights[cell] > 0;
    const unsigned all = __ballot_sync(kAllLanes, chosen);
    if (chosen) {
      const int at = count + __popc(all & ((1u << lane) - 1));
      side.chosen[at] = cell;
      side.weights[at] = static_cast<float>(weights[cell] / sum);
    }
    count += __popc(all);
  }
  if (lane == 0) {
    side.total->sum = sum;
    side.total->count = count;
  }
}

__global__ void __launch_bounds__(kThreads) PatchWeightsKernel(const CardPair* pairs, CardWeighing how) {
  __shared__ double weights[kMostCardCells];
  __shared__ float cosines[kMostCardCells];
  __shared__ uint8_t kept[kMostCardCells];
  const CardPair& pair = pairs[blockIdx.x];
  const CardSide side = blockIdx.y == 0 ? pair.rows : pair.columns;
  const float* const other_centre = blockIdx.y == 0 ? pair.columns.tokens.centre : pair.rows.tokens.centre;
  const int begin = static_cast<int>(threadIdx.x), cells = side.tokens.cells;

  if (UsesCentre(how.marginals)) Cosines(side.tokens, other_centre, how.quads, cosines);
  for (int cell = begin; cell < cells; cell += kThreads) {
    if (!UsesCentre(how.marginals)) cosines[cell] = 0;
    kept[cell] = side.mask == nullptr || side.mask[cell] != 0 ? 1 : 0;
  }
  Weigh(side.tokens, how, cosines, kept, weights);
  if (side.most > 0) {
    __syncthreads();
    KeepStrongest(cells, side.most, weights, kept);
    __syncthreads();
    Weigh(side.tokens, how, cosines, kept, weights);
  }
  double sum = 0;
  for (int cell = begin; cell < cells; cell += kThreads) sum += weights[cell];
  sum = OfBlock(sum, Sum()) + how.rest;
  if (threadIdx.x < 32) Gather(side, weights, sum);
}

}  // namespace

cudaError_t LaunchPatchWeights(const CardPair* pairs, int count, const CardWeighing& weighing, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(count), 2);
  SIGHTLINE_LAUNCH(PatchWeightsKernel, grid, dim3(kThreads), 0, stream)(pairs, weighing);
  return cudaGetLastError();
}

}  // namespace sightline::index::rerank
