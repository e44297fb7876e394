// The channel attentions of GLAM (METHODS 2.1, 2.4): from the mean of the map, by convolutions of three taps along the
// channels, zeros beyond the ends.
#ifndef SIGHTLINE_MODEL_HEAD_GLAM_CHANNEL_H_
#define SIGHTLINE_MODEL_HEAD_GLAM_CHANNEL_H_

#include <memory>

#include "model/layers/layer.h"

namespace sightline::model {

// The parameter "weight" (1, 1, 3): (B, c) -> (B, c).
class ChannelConv : public Layer {
 public:
  ChannelConv() : weight_(register_parameter("weight", torch::empty({1, 1, 3}))) {}
  torch::Tensor Forward(const torch::Tensor& x) const;

 private:
  torch::Tensor weight_;
};

// A weight per channel, sigmoid(conv(GAP)): (B, c, h, w) -> (B, c, 1, 1)
class LocalChannelAttention : public Layer {
 public:
  LocalChannelAttention() : conv_(register_module("conv", std::make_shared<ChannelConv>())) {}
  torch::Tensor Forward(const torch::Tensor& map) const;

 private:
  std::shared_ptr<ChannelConv> conv_;
};

// Every output channel is a convex mix of all channels: with k and q in (0, 1)^c from the mean of the map,
//
//   G_j = sum_i F_i A_ij,  A_ij = exp(k_i q_j) / sum_i exp(k_i q_j)          (B, c, h, w) -> (B, c, h, w)
//
// The products k_i q_j lie in (0, 1), where twelve terms of the series of exp leave less than 1e-8. They split the
// (c, c) matrix into (c, 12) (12, c), and nothing of c x c values is ever built.
class GlobalChannelAttention : public Layer {
 public:
  GlobalChannelAttention()
      : q_(register_module("q", std::make_shared<ChannelConv>())),
        k_(register_module("k", std::make_shared<ChannelConv>())) {}
  torch::Tensor Forward(const torch::Tensor& map) const;

 private:
  std::shared_ptr<ChannelConv> q_, k_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_GLAM_CHANNEL_H_
