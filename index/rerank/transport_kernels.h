// Re-ranking's kernels: what lies where on the card, and how they are started. card_transport.h is who does.
//
// Two kernels score a batch of pairs, one after the other in the same stream: LaunchPatchWeights chooses and weighs the
// patches of both sides of every pair (patch_weights.cu), LaunchTransport makes K and does the rounds (transport.cu).
// They follow PairScorer, which has the formulas' reasons; what float32 cannot hold is answered by kLeftToCpu.
//
// Tokens lie in groups of four values, "quads", all tokens' first quads, then all their second ones: threads that work
// on neighbouring tokens read neighbouring words, whatever the type, and a quad of int8 is what __dp4a takes.
//
// Threading: the launches only put work into `stream`. Ownership: all pointers are the card's memory and the caller's,
// and stay until the stream is done. Failure: CUDA's error code of the launch; what goes wrong inside shows when the
// stream is waited for.
//
//   cudaError_t error = LaunchPatchWeights(pairs, count, weighing, stream);
//   if (error == cudaSuccess) error = LaunchTransport(pairs, count, shape, rounds, scores, stream);
#ifndef SIGHTLINE_INDEX_RERANK_TRANSPORT_KERNELS_H_
#define SIGHTLINE_INDEX_RERANK_TRANSPORT_KERNELS_H_

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "index/rerank/marginal_modes.h"

namespace sightline::index::rerank {

// More of a side are left to the CPU; collections keep no more.
inline constexpr int kMostCardCells = 1024;

enum class QuadKind : int { kInt8, kFloat16, kFloat32 };

// One image's tokens on the card.
struct CardTokens {
  const void* quads = nullptr;        // [count of quads][cells]
  const float* norms = nullptr;       // cells; what makes a token a unit vector, 0 for one of zeros
  const float* centre = nullptr;      // 4 * count of quads, of length 1; null where none is stored
  const float* importance = nullptr;  // cells; null where none is stored
  QuadKind kind = QuadKind::kInt8;
  int cells = 0;
};

// What the first kernel tells the second of a side.
struct SideTotal {
  double sum = 0;  // of the weights, with the dummy's: what they were divided by
  int count = 0;   // of patches that take part
};

struct CardSide {
  CardTokens tokens;
  const uint8_t* mask = nullptr;  // cells; 1: takes part; null: all do
  int most = 0;                   // only so many of the strongest; 0: all
  SideTotal* total = nullptr;
  int* chosen = nullptr;     // the cells that take part, in the order of the grid; room for as many as may
  float* weights = nullptr;  // of those, divided by total->sum
};

struct CardPair {
  CardSide rows, columns;   // the result's, and the query's
  float* matrix = nullptr;  // room for K where LaunchTransport does not keep it in shared memory
};

struct CardWeighing {
  Marginals marginals = Marginals::kUniform;
  int quads = 0;  // of a token
  double temperature = 1;
  double rest = 0;  // of the mass, not transported: the weight of each dummy
};

struct CardRounds {
  int quads = 0;
  int max_rounds = 0;
  float epsilon = 0;
  float dummy = 0;      // the entries of the dummies; 0 without
  double rest = 0;      // before rounding to float
  float tolerance = 0;  // of the sum of the rows' errors; below 0: never met
};

enum class PairOutcome : int { kRoundsEnded, kConverged, kLeftToCpu };

struct PairScore {
  double structural = 0;
  double mass = 0;
  int rounds = 0;
  PairOutcome outcome = PairOutcome::kRoundsEnded;
};

// What a launch of the rounds is for: pairs of one kind, none of more patches than this.
struct CardShape {
  bool codes = false;             // both sides are int8
  bool matrix_in_shared = false;  // or at CardPair::matrix
  int most_rows = 0, most_columns = 0;
};

// What a block of LaunchTransport takes of shared memory, and the most that it may on the current card.
size_t TransportSharedBytes(const CardShape& shape);
cudaError_t TransportSharedLimit(size_t* bytes);

cudaError_t LaunchPatchWeights(const CardPair* pairs, int count, const CardWeighing& weighing, cudaStream_t stream);

// scores[i] of pairs[i].
cudaError_t LaunchTransport(const CardPair* pairs, int count, const CardShape& shape, const CardRounds& rounds,
                            PairScore* scores, cudaStream_t stream);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_TRANSPORT_KERNELS_H_
