// Enhanced locality module of DToP: inverted residual bottleneck, WaveBlock, atrous spatial pyramid pooling. WaveBlock
// is an augmentation of training (METHODS 1.3): a horizontal band of random place keeps its values, the rest of the map
// is multiplied by a factor. At inference it is the identity.
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
  torch::Tensor Forward(const torch::Tensor& x) const { return aspp_->Forward(Wave(irb_->Forward(x))); }

  // Training multiplies by `factor` what is outside of a band of height x h rows; a height of 0 switches it off.
  void UseWave(double height, double factor);

 private:
  torch::Tensor Wave(const torch::Tensor& x) const;

  double wave_height_ = 0;
  double wave_factor_ = 1;
  std::shared_ptr<InvertedResidual> irb_;
  std::shared_ptr<Aspp> aspp_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_ELM_H_
