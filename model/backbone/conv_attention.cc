#include "model/backbone/conv_attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/engine/attention_core.h"

namespace sightline::model {
namespace {

// Attention values held at once by LibTorch's operations: 4 MiB as float32, what the cores' own caches hold.
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
  return linear.Forward(tokens);
}

torch::Tensor ConvAttention::AddTo(const torch::Tensor& residual, const torch::Tensor& x, const TokenGrid& grid,
                                   torch::Tensor* cls_attention, Rollout* rollout) const {
  const auto head_dim = static_cast<double>(dim_ / heads_);
  // Attention divides by sqrt(C / heads), CvT by sqrt(C).
  const torch::Tensor q = Project(x, grid, *conv_q_, *proj_q_) * std::sqrt(head_dim / static_cast<double>(dim_));
  const torch::Tensor k = Project(x, grid, *conv_k_, *proj_k_);
  const torch::Tensor v = Project(x, grid, *conv_v_, *proj_v_);
  if (rollout != nullptr) {
    const auto apart = [this](const torch::Tensor& tokens) {
      return tokens.view({tokens.size(0), tokens.size(1), heads_, dim_ / heads_}).transpose(1, 2);
    };
    rollout->Add(apart(q) / std::sqrt(head_dim), apart(k), grid, Keys(grid));
  }
  const bool fast = buffers_ != nullptr && !is_training() && IsPlain(x);
  const torch::Tensor mixed = fast ? MixFast(q, k, v, cls_attention) : Mix(q, k, v, cls_attention);
  if (cls_attention != nullptr) {
    *cls_attention = cls_attention->narrow(1, grid.prefix, cls_attention->size(1) - grid.prefix);
  }
  return proj_->AddTo(residual, mixed);
}

torch::Tensor ConvAttention::Mix(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                 torch::Tensor* first_query) const {
  const int64_t batch = q.size(0);
  const int64_t tokens = q.size(1);
  // (B, T, C) -> (B * heads, T, C / heads)
  const auto apart = [&](const torch::Tensor& x) {
    return x.view({batch, x.size(1), heads_, dim_ / heads_}).transpose(1, 2).flatten(0, 1);
  };
  const torch::Tensor queries = apart(q) / std::sqrt(static_cast<double>(dim_ / heads_));
  const torch::Tensor keys = apart(k).transpose(1, 2);
  const torch::Tensor values = apart(v);
  const int64_t rows = std::clamp<int64_t>(kMaxConvScores / (batch * heads_ * k.size(1)), 1, tokens);
  std::vector<torch::Tensor> pieces;
  for (int64_t begin = 0; begin < tokens; begin += rows) {
    const int64_t count = std::min(rows, tokens - begin);
    const torch::Tensor scores = torch::softmax(torch::bmm(queries.narrow(1, begin, count), keys), -1);
    if (begin == 0 && first_query != nullptr) {
      *first_query = scores.view({batch, heads_, count, k.size(1)}).select(2, 0).mean(1);
    }
    pieces.push_back(torch::bmm(scores, values));
  }
  const torch::Tensor mixed = pieces.size() == 1 ? pieces[0] : torch::cat(pieces, 1);
  return mixed.view({batch, heads_, tokens, dim_ / heads_}).transpose(1, 2).reshape({batch, tokens, dim_});
}

torch::Tensor ConvAttention::MixFast(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                     torch::Tensor* first_query) const {
  const auto heads_of = [this](const torch::Tensor& x) {
    return engine::HeadsView{.data = x.data_ptr<float>(),
                             .batch_stride = x.size(1) * dim_,
                             .token_stride = dim_,
                             .head_stride = dim_ / heads_};
  };
  const engine::AttentionShape shape{
      .batch = q.size(0), .heads = heads_, .queries = q.size(1), .keys = k.size(1), .head_dim = dim_ / heads_};
  const torch::Tensor mixed = Borrow(buffers_, q.sizes());
  if (first_query != nullptr) *first_query = torch::empty({shape.batch, shape.keys});
  engine::Attend(buffers_, heads_of(q), heads_of(k), heads_of(v), shape, mixed.data_ptr<float>(),
                 first_query == nullptr ? nullptr : first_query->data_ptr<float>());
  return mixed;
}

}  // namespace sightline::model
