// HybridStem: the convolutional part of a hybrid ViT. Post-activation bottlenecks with standardised weights, group norm
// and SAME padding, as in timm's vit_base_r50_s16.
//
// Parameter names: stem.conv.weight, stem.norm.*, stages.{s}.blocks.{b}.{conv1,conv2,conv3}.weight, .{norm1,norm2,
// norm3}.*, stages.{s}.blocks.0.downsample.{conv.weight,norm.*}.
#ifndef SIGHTLINE_MODEL_BACKBONE_HYBRID_STEM_H_
#define SIGHTLINE_MODEL_BACKBONE_HYBRID_STEM_H_

#include <memory>
#include <vector>

#include "model/config/architecture.h"
#include "model/layers/conv.h"
#include "model/layers/layer.h"
#include "model/layers/norm.h"

namespace sightline::model {

// 1x1 -> norm, ReLU -> 3x3 (stride here) -> norm, ReLU -> 1x1 -> norm; plus shortcut; ReLU.
class Bottleneck : public Layer {
 public:
  struct Shape {
    int64_t in = 0;
    int64_t out = 0;
    int64_t stride = 1;
    int64_t groups = 1;
    bool downsample = false;  // the shortcut is a 1x1 convolution with norm: in the first block of every stage
  };
  explicit Bottleneck(const Shape& shape);
  torch::Tensor Forward(const torch::Tensor& x) const;

 private:
  class ConvNorm;
  std::shared_ptr<StdConv> conv1_, conv2_, conv3_;
  std::shared_ptr<GroupNorm> norm1_, norm2_, norm3_;
  std::shared_ptr<ConvNorm> downsample_;
};

class HybridStem : public Layer {
 public:
  explicit HybridStem(const HybridVitConfig& config);
  // (B, 3, H, W) -> (B, channels of the last stage, ceil(H / stride), ceil(W / stride))
  torch::Tensor Forward(const torch::Tensor& images) const;

 private:
  std::shared_ptr<StdConv> stem_conv_;
  std::shared_ptr<GroupNorm> stem_norm_;
  std::vector<std::shared_ptr<Bottleneck>> blocks_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_HYBRID_STEM_H_
