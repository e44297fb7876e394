#include "model/backbone/conv_attention.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace sightline::model {
namespace {

// Attention values held at once: 4 MiB as float32, what the cores' own caches hold.
constexpr int64_t kMaxConvScores = 1 << 20;

std::shared_ptr<ConvBn> Depthwise(int64_t dim, int64_t stride) {
  return std::make_shared<ConvBn>(
      ConvShape{.in = dim, .out = dim, .kernel = 3, .stride = stride, .padding = 1, .groups = dim, .bias = false});
}

}  // namespace

ConvAttention::ConvAttention(int64_t dim, int64_t heads)
    : dim_(dim),
      heads_(heads),
      conv_q_(register_module("conv_proj_q", Depthwise(dim, 1))),
      conv_k_(register_module("conv_proj_k", Depthwise(dim, 2))),
      conv_v_(register_module("conv_proj_v", Depthwise(dim, 2))),
      proj_q_(register_module("proj_q", std::make_shared<Linear>(dim, dim))),
      proj_k_(register_module("proj_k", std::make_shared<Linear>(dim, dim))),
      proj_v_(register_module("proj_v", std::make_shared<Linear>(dim, dim))),
      proj_(register_module("proj", std::make_shared<Linear>(dim, dim))) {}

TokenGrid ConvAttention::Keys(const TokenGrid& grid) {
  return {.prefix = grid.prefix, .height = (grid.height + 1) / 2, .width = (grid.width + 1) / 2};
}

torch::Tensor ConvAttention::Project(const torch::Tensor& x, const TokenGrid& grid, const ConvBn& conv,
                                     const Linear& linear) const {
  const int64_t batch = x.size(0);
  // (B, M, C) is (B, C, h, w) with channels last.
  const torch::Tensor map = x.narrow(1, grid.prefix, grid.height * grid.width)
                                .reshape({batch, grid.height, grid.width, dim_})
                                .permute({0, 3, 1, 2});
  torch::Tensor tokens = conv.Forward(map).permute({0, 2, 3, 1}).reshape({batch, -1, dim_});
  if (grid.prefix > 0) tokens = torch::cat({x.narrow(1, 0, grid.prefix), tokens}, 1);
  return linear.Forward(tokens).view({batch, -1, heads_, dim_ / heads_}).transpose(1, 2).contiguous();
}

torch::Tensor ConvAttention::AddTo(const torch::Tensor& residual, const torch::Tensor& x, const TokenGrid& grid,
                                   torch::Tensor* cls_attention, Rollout* rollout) const {
  const torch::Tensor q = Project(x, grid, *conv_q_, *proj_q_) / std::sqrt(static_cast<double>(dim_));
  const torch::Tensor k = Project(x, grid, *conv_k_, *proj_k_);
  const torch::Tensor v = Project(x, grid, *conv_v_, *proj_v_);
  if (rollout != nullptr) rollout->Add(q, k, grid, Keys(grid));

  const int64_t batch = x.size(0);
  const int64_t tokens = x.size(1);
  const torch::Tensor keys = k.flatten(0, 1).transpose(1, 2);
  const torch::Tensor queries = q.flatten(0, 1);
  const torch::Tensor values = v.flatten(0, 1);
  const int64_t rows = std::clamp<int64_t>(kMaxConvScores / (batch * heads_ * k.size(2)), 1, tokens);
  std::vector<torch::Tensor> pieces;
  for (int64_t begin = 0; begin < tokens; begin += rows) {
    const int64_t count = std::min(rows, tokens - begin);
    const torch::Tensor scores = torch::softmax(torch::bmm(queries.narrow(1, begin, count), keys), -1);
    if (begin == 0 && cls_attention != nullptr) {
      *cls_attention = scores.view({batch, heads_, count, -1}).select(2, 0).mean(1);
      *cls_attention = cls_attention->narrow(1, grid.prefix, cls_attention->size(1) - grid.prefix);
    }
    pieces.push_back(torch::bmm(scores, values));
  }
  const torch::Tensor mixed = pieces.size() == 1 ? pieces[0] : torch::cat(pieces, 1);
  return proj_->AddTo(residual, mixed.view({batch, heads_, tokens, -1}).transpose(1, 2).reshape({batch, tokens, dim_}));
}

}  // namespace sightline::model
