#include "model/backbone/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/backbone/attention_training.h"
#include "model/engine/attention_core.h"

namespace sightline::model {

Attention::Attention(int64_t dim, int64_t heads, bool qkv_bias)
    : heads_(heads),
      qkv_(register_module("qkv", std::make_shared<Linear>(dim, 3 * dim, qkv_bias))),
      proj_(register_module("proj", std::make_shared<Linear>(dim, dim))) {}

torch::Tensor Attention::Forward(const torch::Tensor& x, torch::Tensor* cls_attention, int64_t max_scores) const {
  return proj_->Forward(Mix(x, cls_attention, max_scores));
}

torch::Tensor Attention::AddTo(const torch::Tensor& residual, const torch::Tensor& x,
                               torch::Tensor* cls_attention) const {
  return proj_->AddTo(residual, Mix(x, cls_attention, kMaxScores));
}

std::pair<torch::Tensor, torch::Tensor> Attention::QueriesAndKeys(const torch::Tensor& x) const {
  const int64_t head_dim = x.size(2) / heads_;
  // (B, T, 3, heads, head_dim) -> (3, B, heads, T, head_dim)
  const torch::Tensor split =
      qkv_->Forward(x).view({x.size(0), x.size(1), 3, heads_, head_dim}).permute({2, 0, 3, 1, 4});
  return {split[0] / std::sqrt(static_cast<double>(head_dim)), split[1]};
}

torch::Tensor Attention::Mix(const torch::Tensor& x, torch::Tensor* cls_attention, int64_t max_scores) const {
  const int64_t batch = x.size(0);
  const int64_t tokens = x.size(1);
  const int64_t dim = x.size(2);
  const int64_t head_dim = dim / heads_;
  const torch::Tensor qkv = qkv_->Forward(x);
  if (buffers_ != nullptr && !is_training() && IsPlain(qkv)) return MixFast(qkv, cls_attention);
  if (is_training() && cls_attention == nullptr && CanAttendTraining(qkv)) return AttendTraining(qkv, heads_);
#if TORCH_VERSION_MAJOR >= 2
  if (!x.is_cpu() && !is_training()) return MixOnDevice(qkv, cls_attention);
#endif
  // (B, T, 3, heads, head_dim) -> three of (B * heads, T, head_dim)
  const torch::Tensor split = qkv.view({batch, tokens, 3, heads_, head_dim}).permute({2, 0, 3, 1, 4}).contiguous();
  const auto part = [&](int64_t i) { return split[i].view({batch * heads_, tokens, head_dim}); };
  const torch::Tensor q = part(0) * (1.0 / std::sqrt(static_cast<double>(head_dim)));
  const torch::Tensor k = part(1).transpose(1, 2);
  const torch::Tensor v = part(2);

  // A device has room for all scores, and starting a kernel costs it more than their traffic.
  const int64_t rows = x.is_cpu() ? std::clamp<int64_t>(max_scores / (batch * heads_ * tokens), 1, tokens) : tokens;
  std::vector<torch::Tensor> pieces;
  for (int64_t begin = 0; begin < tokens; begin += rows) {
    const int64_t count = std::min(rows, tokens - begin);
    const torch::Tensor scores = torch::softmax(torch::bmm(q.narrow(1, begin, count), k), -1);
    if (begin == 0 && cls_attention != nullptr) {
      *cls_attention = scores.view({batch, heads_, count, tokens}).select(2, 0).mean(1).narrow(1, 1, tokens - 1);
    }
    pieces.push_back(torch::bmm(scores, v));
  }
  const torch::Tensor mixed = pieces.size() == 1 ? pieces[0] : torch::cat(pieces, 1);
  return mixed.view({batch, heads_, tokens, head_dim}).transpose(1, 2).reshape({batch, tokens, dim});
}

#if TORCH_VERSION_MAJOR >= 2
// With LibTorch's own kernels, which keep the scores in the device's registers: they are 12 x 8,101 x 8,101 for an image
// of 1,440 x 1,440 pixels in ViT-B/16.
torch::Tensor Attention::MixOnDevice(const torch::Tensor& qkv, torch::Tensor* cls_attention) const {
  const int64_t batch = qkv.size(0);
  const int64_t tokens = qkv.size(1);
  const int64_t dim = qkv.size(2) / 3;
  // (B, T, 3, heads, head_dim) -> three of (B, heads, T, head_dim)
  const torch::Tensor split = qkv.view({batch, tokens, 3, heads_, dim / heads_}).permute({2, 0, 3, 1, 4});
  const torch::Tensor q = split[0], k = split[1], v = split[2];
  if (cls_attention != nullptr) {
    const torch::Tensor first = q.narrow(2, 0, 1) * (1.0 / std::sqrt(static_cast<double>(dim / heads_)));
    const torch::Tensor scores = torch::softmax(torch::matmul(first, k.transpose(2, 3)), -1);  // (B, heads, 1, T)
    *cls_attention = scores.select(2, 0).mean(1).narrow(1, 1, tokens - 1);
  }
  return torch::scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape({batch, tokens, dim});
}
#endif

torch::Tensor Attention::MixFast(const torch::Tensor& qkv, torch::Tensor* cls_attention) const {
  const int64_t batch = qkv.size(0);
  const int64_t tokens = qkv.size(1);
  const int64_t dim = qkv.size(2) / 3;
  const auto part = [&](int64_t i) {
    return engine::HeadsView{.data = qkv.data_ptr<float>() + i * dim,
                             .batch_stride = tokens * 3 * dim,
                             .token_stride = 3 * dim,
                             .head_stride = dim / heads_};
  };
  const engine::AttentionShape shape{
      .batch = batch, .heads = heads_, .queries = tokens, .keys = tokens, .head_dim = dim / heads_};
  const torch::Tensor mixed = Borrow(buffers_, {batch, tokens, dim});
  torch::Tensor first_query;
  if (cls_attention != nullptr) first_query = torch::empty({batch, tokens});
  engine::Attend(buffers_, part(0), part(1), part(2), shape, mixed.data_ptr<float>(),
                 cls_attention == nullptr ? nullptr : first_query.data_ptr<float>());
  if (cls_attention != nullptr) *cls_attention = first_query.narrow(1, 1, tokens - 1);
  return mixed;
}

}  // namespace sightline::model
