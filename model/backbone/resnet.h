// Resnet: residual networks with batch norm (He et al. 2015), any block counts, optionally with second-order attention.
//
//   stem: 7x7 / 2, pad 3 -> BN, ReLU -> max pool 3x3 / 2, pad 1
//   block: y = relu(shortcut(x) + BN(conv(... relu(BN(conv(x))) ...)))
//
// Gives the maps of its last stages. Parameter names are torchvision's: conv1, bn1, layer{1-4}.{b}.conv{1-3},
// layer{1-4}.{b}.bn{1-3}, layer{1-4}.0.downsample.{0,1}; there is no classifier. The attention has SOLAR's names,
// soa4.* behind layer3 and soa5.* behind layer4.
#ifndef SIGHTLINE_MODEL_BACKBONE_RESNET_H_
#define SIGHTLINE_MODEL_BACKBONE_RESNET_H_

#include <memory>
#include <optional>
#include <vector>

#include "model/backbone/backbone.h"
#include "model/backbone/second_order.h"
#include "model/config/architecture.h"
#include "model/layers/conv.h"

namespace sightline::model {

class ResnetBlock : public Layer {
 public:
  struct Shape {
    int64_t in = 0;
    int64_t middle = 0;  // of a bottleneck
    int64_t out = 0;
    int64_t stride = 1;
    ResnetBlockKind kind = ResnetBlockKind::kBottleneck;
    ResnetStrideOn stride_on = ResnetStrideOn::k3x3;
  };
  explicit ResnetBlock(const Shape& shape);
  // In inference the result may be written into `x` where the shape stays, so `x` is not to be read again.
  torch::Tensor Forward(const torch::Tensor& x) const;
  void Plan(const PlanOptions& options) override;

 private:
  std::vector<ConvNorm> convs_;
  std::optional<ConvNorm> downsample_;  // where the shape changes
};

class Resnet : public Backbone {
 public:
  explicit Resnet(const ResnetConfig& config);
  Features Forward(const torch::Tensor& images, const Wanted& wanted) override;
  void Plan(const PlanOptions& options) override { stem_.Plan(options); }

 private:
  struct Stage {
    std::vector<std::shared_ptr<ResnetBlock>> blocks;
    std::shared_ptr<SecondOrderAttention> attention;  // null for none
  };

  const ChannelOrder channel_order_;
  ConvNorm stem_;
  std::vector<Stage> stages_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_RESNET_H_
