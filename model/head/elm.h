// Enhanced locality module of DToP: inverted residual bottleneck, WaveBlock, atrous spatial pyramid pooling. WaveBlock
// is an augmentation of training; at inference it is the identity, so it has no code here.
//
// Parameter names: irb.{expand,dw,project}.{conv.weight,bn.*}, aspp.branch{0..3}.*, aspp.pool.*, aspp.merge.*,
// aspp.out.{weight,bias}.
#ifndef SIGHTLINE_MODEL_HEAD_ELM_H_
#define SIGHTLINE_MODEL_HEAD_ELM_H_

#include <memory>
#include <vector>

#include "model/layers/conv.h"
#include "model/layers/layer.h"

namespace sightline::model {

// 1x1 to t D -> ReLU6 -> depthwise 3x3 -> ReLU6 -> 1x1 to D, each with batch norm; no skip, FUSE provides it.
class InvertedResidual : public Layer {
 public:
  InvertedResidual(int64_t dim, int64_t expand);
  torch::Tensor Forward(const torch::Tensor& x) const;

 private:
  std::shared_ptr<ConvBn> expand_, dw_, project_;
};

// Five branches over the same input (1x1; 3x3 with dilation 6, 12, 18; the mean of the image), concatenated, mixed by a
// 1x1 convolution, mapped back to D.
class Aspp : public Layer {
 public:
  Aspp(int64_t dim, int64_t width);
  torch::Tensor Forward(const torch::Tensor& x) const;

 private:
  std::vector<std::shared_ptr<ConvBn>> branches_;
  std::shared_ptr<ConvBn> pool_, merge_;
  std::shared_ptr<Conv> out_;
};

// (B, D, h, w) -> (B, D, h, w)
class Elm : public Layer {
 public:
  Elm(int64_t dim, int64_t expand, int64_t aspp_width);
  torch::Tensor Forward(const torch::Tensor& x) const { return aspp_->Forward(irb_->Forward(x)); }

 private:
  std::shared_ptr<InvertedResidual> irb_;
  std::shared_ptr<Aspp> aspp_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_ELM_H_
