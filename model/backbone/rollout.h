// Rollout: attention followed through all blocks, from the image's cells to the cells of the last block (attention
// rollout, as the transformer re-ranking method weighs patches by it).
//
//   of every block     A = min over heads of softmax(q k^T); the lowest 10 % of its values set to 0
//                      without the tokens of no place; averaged over keys, then over queries, to one grid
//                      A <- rows of (A + I) divided by their sums
//   of the image       w = mean over rows of A_last ... A_2 A_1;  w <- relu(w) / (sum w + 1e-5)
//
// The lowest tenth is each image's own. The published code sets to 0, in every image of a batch, what is low in any of
// them, so that its results depend on the batch.
//
// A block's attention is computed in pieces, twice (for the threshold, then to be averaged), and not kept: an image of
// T tokens costs T x cells values beside the kMaxScores of a piece.
//
// Threading: a value that belongs to one forward pass. Failure: LibTorch's exceptions.
//
//   Rollout rollout(height, width);
//   for (each block) rollout.Add(q, k, {.prefix = 1, .height = 14, .width = 14}, {.prefix = 1, .height = 7, .width =
//   7}); features.rollout = rollout.Weights(height, width);
#ifndef SIGHTLINE_MODEL_BACKBONE_ROLLOUT_H_
#define SIGHTLINE_MODEL_BACKBONE_ROLLOUT_H_

#include <torch/torch.h>

#include <cstdint>

namespace sightline::model {

// A token sequence: tokens of no place, then a grid row by row.
struct TokenGrid {
  int64_t prefix = 0;
  int64_t height = 0;
  int64_t width = 0;
};

class Rollout {
 public:
  // The grid is height x width, its sides halved until it has at most kMaxCells cells: what follows is a product of
  // cells x cells matrices.
  static constexpr int64_t kMaxCells = 1024;
  // Attention values held at once. The lowest tenth of a matrix with more is estimated from evenly spaced queries.
  static constexpr int64_t kMaxScores = 64 << 20;

  Rollout(int64_t height, int64_t width, int64_t max_scores = kMaxScores);

  // Follows one more block. `q` (B, heads, Tq, d) and `k` (B, heads, Tk, d), scaled so that softmax(q k^T) is the
  // attention.
  void Add(const torch::Tensor& q, const torch::Tensor& k, const TokenGrid& queries, const TokenGrid& keys);

  // (B, height * width): w, each value repeated over the cells of height x width that its own cell covers.
  torch::Tensor Weights(int64_t height, int64_t width) const;

 private:
  // (cells, cells) of one image; `q` and `k` without the batch.
  torch::Tensor Pooled(const torch::Tensor& q, const torch::Tensor& k, const TokenGrid& queries,
                       const TokenGrid& keys) const;

  int64_t height_;
  int64_t width_;
  const int64_t max_scores_;
  torch::Tensor product_;  // (B, cells, cells), of all blocks so far
};

// (B, from_height * from_width) repeated to (B, height * width), for attention over a coarser grid of keys.
torch::Tensor RepeatCells(const torch::Tensor& weights, int64_t from_height, int64_t from_width, int64_t height,
                          int64_t width);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_ROLLOUT_H_
