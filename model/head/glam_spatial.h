// The spatial attentions of GLAM (METHODS 2.2, 2.5).
#ifndef SIGHTLINE_MODEL_HEAD_GLAM_SPATIAL_H_
#define SIGHTLINE_MODEL_HEAD_GLAM_SPATIAL_H_

#include <array>
#include <memory>

#include "model/layers/conv.h"
#include "model/layers/layer.h"

namespace sightline::model {

// A weight per position, (B, c, h, w) -> (B, 1, h, w), from four convolutions side by side, the last three 3x3 with
// dilation 1, 2 and 3:
//
//   F' = reduce(F);  A = out([b0(F'); b1(F'); b2(F'); b3(F')])
//
// All of it is linear, with zeros beyond the border of F'. In inference it is one 1x1 convolution of F to a map per
// distinct offset (25), added up at their offsets.
class LocalSpatialAttention : public Layer {
 public:
  LocalSpatialAttention(int64_t dim, int64_t reduced);
  torch::Tensor Forward(const torch::Tensor& map) const;
  void Plan(const PlanOptions& options) override;

 private:
  std::shared_ptr<Conv> reduce_, out_;
  std::array<std::shared_ptr<Conv>, 4> branches_;
  torch::Tensor planned_weight_;  // (25, c, 1, 1), the middle first, then dilation by dilation, row by row
  torch::Tensor planned_bias_;    // (25)
  torch::Tensor planned_offset_;  // (1), what is the same everywhere
};

// Positions mixed by their likeness, (B, c, h, w) -> (B, c, h, w):
//
//   G = out(V A),  A = softmax of K^T Q over the positions of K;  Q, K, V three 1x1 convolutions of F
class GlobalSpatialAttention : public Layer {
 public:
  GlobalSpatialAttention(int64_t dim, int64_t reduced);
  torch::Tensor Forward(const torch::Tensor& map) const;

 private:
  std::shared_ptr<Conv> q_, k_, v_, out_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_GLAM_SPATIAL_H_
