// SecondOrderAttention: SOLAR's block (arXiv 2001.08972), which lets every position of a map gather from all others.
//
//   f, g = relu(BN(conv1x1(x)))    h = conv1x1(x)              with m channels each
//   A    = softmax(f^T g / sqrt(m))                            over the last index, (h w) x (h w)
//   z    = x + v(h A^T)                                        v a 1x1 convolution m -> C
//
// Parameter names: f.0, f.1 (BN), g.0, g.1, h, v; every convolution has a bias.
#ifndef SIGHTLINE_MODEL_BACKBONE_SECOND_ORDER_H_
#define SIGHTLINE_MODEL_BACKBONE_SECOND_ORDER_H_

#include <memory>

#include "model/layers/conv.h"

namespace sightline::model {

class SecondOrderAttention : public Layer {
 public:
  // At most this many attention values are held at once: 32 MiB as float32, about the last level cache of a server.
  static constexpr int64_t kMaxScores = 8 << 20;

  SecondOrderAttention(int64_t channels, int64_t middle);

  // (B, C, h, w) -> (B, C, h, w)
  torch::Tensor Forward(const torch::Tensor& x, int64_t max_scores = kMaxScores) const;
  void Plan(const PlanOptions& options) override;

 private:
  ConvNorm f_;
  ConvNorm g_;
  std::shared_ptr<Conv> h_;
  std::shared_ptr<Conv> v_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_SECOND_ORDER_H_
