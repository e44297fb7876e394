// ConvAttention: CvT's multi-head self-attention with convolutional projections, in pieces over queries.
#ifndef SIGHTLINE_MODEL_BACKBONE_CONV_ATTENTION_H_
#define SIGHTLINE_MODEL_BACKBONE_CONV_ATTENTION_H_

#include <memory>

#include "model/backbone/rollout.h"
#include "model/layers/conv.h"
#include "model/layers/layer.h"
#include "model/layers/linear.h"

namespace sightline::model {

class ConvAttention : public Layer {
 public:
  ConvAttention(int64_t dim, int64_t heads);

  // residual + attention of x, both (B, T, C) over `grid`. In inference the sum may be written into `residual`, which
  // is not to be read again. With `cls_attention` also how much the class token attends to every key of the grid, mean
  // over heads, (B, keys); with `rollout` the attention is followed. Either may be null.
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x, const TokenGrid& grid,
                      torch::Tensor* cls_attention, Rollout* rollout) const;

  // The grid of the keys.
  static TokenGrid Keys(const TokenGrid& grid);

  void Plan(const PlanOptions& options) override { buffers_ = options.buffers; }

 private:
  // linear(norm(conv(x))), (B, T, C), T as the convolution's stride makes it.
  torch::Tensor Project(const torch::Tensor& x, const TokenGrid& grid, const ConvBn& conv, const Linear& linear) const;
  // softmax(q k^T / sqrt(C / heads)) v, (B, Tq, C). `first_query`, if not null, becomes the attention of query 0, mean
  // over heads, (B, Tk).
  torch::Tensor Mix(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                    torch::Tensor* first_query) const;
  torch::Tensor MixFast(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                        torch::Tensor* first_query) const;

  const int64_t dim_;
  const int64_t heads_;
  std::shared_ptr<ConvBn> conv_q_, conv_k_, conv_v_;
  std::shared_ptr<Linear> proj_q_, proj_k_, proj_v_;
  std::shared_ptr<Linear> proj_;
  std::shared_ptr<engine::BufferPool> buffers_;  // null before Plan
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_CONV_ATTENTION_H_
