#include "model/backbone/rollout.h"

#include <algorithm>
#include <vector>

namespace sightline::model {
namespace {

constexpr double kDropped = 0.1;  // the share of a block's attention values that is set to 0

// q (heads, n, d), k (heads, T, d) -> (n, T), in float32 whatever the layers around compute in.
torch::Tensor LeastAttention(const torch::Tensor& q, const torch::Tensor& k) {
  return torch::softmax(torch::bmm(q, k.transpose(1, 2)).to(torch::kFloat), -1).amin(0);
}

// Columns (n, prefix + cells) averaged to (n, height * width).
torch::Tensor PoolColumns(const torch::Tensor& rows, const TokenGrid& grid, int64_t height, int64_t width) {
  const torch::Tensor cells = rows.narrow(1, grid.prefix, grid.height * grid.width);
  if (grid.height == height && grid.width == width) return cells;
  const torch::Tensor map = cells.reshape({rows.size(0), 1, grid.height, grid.width});
  return torch::adaptive_avg_pool2d(map, {height, width}).flatten(1);
}

// The smallest value that is kept. Where many values are equal, fewer than a tenth are below it, and an attention that
// tells nothing apart stays whole.
torch::Tensor Threshold(const torch::Tensor& attention) {
  const torch::Tensor values = attention.flatten();
  const auto dropped = static_cast<int64_t>(static_cast<double>(values.numel()) * kDropped);
  return std::get<0>(torch::kthvalue(values, std::min(dropped + 1, values.numel())));
}

}  // namespace

Rollout::Rollout(int64_t height, int64_t width, int64_t max_scores)
    : height_(height), width_(width), max_scores_(max_scores) {
  while (height_ * width_ > kMaxCells) {
    height_ = (height_ + 1) / 2;
    width_ = (width_ + 1) / 2;
  }
}

torch::Tensor Rollout::Pooled(const torch::Tensor& q, const torch::Tensor& k, const TokenGrid& queries,
                              const TokenGrid& keys) const {
  const int64_t heads = q.size(0);
  const int64_t tokens = q.size(1);
  const int64_t rows = std::clamp<int64_t>(max_scores_ / (heads * k.size(1)), 1, tokens);
  const int64_t step = (tokens + rows - 1) / rows;
  const torch::Tensor threshold = Threshold(LeastAttention(q.slice(1, 0, tokens, step), k));

  std::vector<torch::Tensor> pieces;
  for (int64_t begin = 0; begin < tokens; begin += rows) {
    const torch::Tensor least = LeastAttention(q.narrow(1, begin, std::min(rows, tokens - begin)), k);
    pieces.push_back(PoolColumns(least * (least >= threshold), keys, height_, width_));
  }
  const torch::Tensor by_query = torch::cat(pieces, 0);  // (Tq, cells)
  return PoolColumns(by_query.transpose(0, 1), queries, height_, width_).transpose(0, 1);
}

void Rollout::Add(const torch::Tensor& q, const torch::Tensor& k, const TokenGrid& queries, const TokenGrid& keys) {
  std::vector<torch::Tensor> images;
  for (int64_t b = 0; b < q.size(0); ++b) images.push_back(Pooled(q[b], k[b], queries, keys));
  torch::Tensor block = torch::stack(images);
  block = block + torch::eye(block.size(1), block.options());
  block = block / block.sum(-1, /*keepdim=*/true);
  product_ = product_.defined() ? torch::bmm(block, product_).to(torch::kFloat) : block;
}

torch::Tensor Rollout::Weights(int64_t height, int64_t width) const {
  const torch::Tensor mean = torch::relu(product_.mean(1));
  return RepeatCells(mean / (mean.sum(1, /*keepdim=*/true) + 1e-5), height_, width_, height, width);
}

torch::Tensor RepeatCells(const torch::Tensor& weights, int64_t from_height, int64_t from_width, int64_t height,
                          int64_t width) {
  if (from_height == height && from_width == width) return weights;
  const torch::Tensor map = weights.reshape({weights.size(0), 1, from_height, from_width});
  return torch::upsample_nearest2d(map, {height, width}).flatten(1);
}

}  // namespace sightline::model
