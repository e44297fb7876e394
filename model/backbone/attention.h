// Attention: multi-head self-attention with a fused qkv map, in pieces over queries so that its memory stays bounded.
#ifndef SIGHTLINE_MODEL_BACKBONE_ATTENTION_H_
#define SIGHTLINE_MODEL_BACKBONE_ATTENTION_H_

#include <memory>
#include <utility>

#include "model/layers/layer.h"
#include "model/layers/linear.h"

namespace sightline::model {

class Attention : public Layer {
 public:
  // At most this many attention values are held at once: 32 MiB as float32, about the last level cache of a server. The
  // engine's path holds fewer.
  static constexpr int64_t kMaxScores = 8 << 20;

  Attention(int64_t dim, int64_t heads, bool qkv_bias = true);

  // x (B, T, D) -> softmax(q k^T / sqrt(D / heads)) v, projected, (B, T, D). With `cls_attention`, also row 0 of the
  // attention without its own column, mean over heads: (B, T - 1).
  torch::Tensor Forward(const torch::Tensor& x, torch::Tensor* cls_attention, int64_t max_scores = kMaxScores) const;

  // residual + Forward(x). In inference the sum may be written into `residual`, which is not to be read again.
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x, torch::Tensor* cls_attention) const;

  // q / sqrt(D / heads) and k, each (B, heads, T, D / heads): softmax(q k^T) is the attention that Forward applies.
  std::pair<torch::Tensor, torch::Tensor> QueriesAndKeys(const torch::Tensor& x) const;

  void Plan(const PlanOptions& options) override { buffers_ = options.buffers; }

 private:
  // Forward before the projection.
  torch::Tensor Mix(const torch::Tensor& x, torch::Tensor* cls_attention, int64_t max_scores) const;
  // The same from the fused map `qkv` (B, T, 3 D), by the engine.
  torch::Tensor MixFast(const torch::Tensor& qkv, torch::Tensor* cls_attention) const;
#if TORCH_VERSION_MAJOR >= 2
  // The same on a device with its own memory.
  torch::Tensor MixOnDevice(const torch::Tensor& qkv, torch::Tensor* cls_attention) const;
#endif

  const int64_t heads_;
  std::shared_ptr<engine::BufferPool> buffers_;
  std::shared_ptr<Linear> qkv_;
  std::shared_ptr<Linear> proj_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_ATTENTION_H_
