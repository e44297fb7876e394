#include "model/backbone/hybrid_stem.h"

#include <string>

namespace sightline::model {

class Bottleneck::ConvNorm : public Layer {
 public:
  explicit ConvNorm(const Shape& shape)
      : conv_(register_module("conv", std::make_shared<StdConv>(shape.in, shape.out, 1, shape.stride))),
        norm_(register_module("norm", std::make_shared<GroupNorm>(shape.groups, shape.out))) {}
  torch::Tensor Forward(const torch::Tensor& x) const { return norm_->Forward(conv_->Forward(x)); }

 private:
  std::shared_ptr<StdConv> conv_;
  std::shared_ptr<GroupNorm> norm_;
};

Bottleneck::Bottleneck(const Shape& shape) {
  const int64_t middle = shape.out / 4;
  conv1_ = register_module("conv1", std::make_shared<StdConv>(shape.in, middle, 1, 1));
  norm1_ = register_module("norm1", std::make_shared<GroupNorm>(shape.groups, middle));
  conv2_ = register_module("conv2", std::make_shared<StdConv>(middle, middle, 3, shape.stride));
  norm2_ = register_module("norm2", std::make_shared<GroupNorm>(shape.groups, middle));
  conv3_ = register_module("conv3", std::make_shared<StdConv>(middle, shape.out, 1, 1));
  norm3_ = register_module("norm3", std::make_shared<GroupNorm>(shape.groups, shape.out));
  if (shape.downsample) downsample_ = register_module("downsample", std::make_shared<ConvNorm>(shape));
}

torch::Tensor Bottleneck::Forward(const torch::Tensor& x) const {
  torch::Tensor y = norm1_->Forward(conv1_->Forward(x), Activation::kRelu);
  y = norm2_->Forward(conv2_->Forward(y), Activation::kRelu);
  return norm3_->AddToAndRelu(downsample_ ? downsample_->Forward(x) : x, conv3_->Forward(y));
}

HybridStem::HybridStem(const HybridVitConfig& config) {
  const auto stem = register_module("stem", std::make_shared<torch::nn::Module>());
  stem_conv_ = stem->register_module("conv", std::make_shared<StdConv>(3, config.stem_channels, 7, 2));
  stem_norm_ = stem->register_module("norm", std::make_shared<GroupNorm>(config.groups, config.stem_channels));

  const auto stages = register_module("stages", std::make_shared<torch::nn::Module>());
  int64_t in = config.stem_channels;
  for (size_t s = 0; s < config.stages.size(); ++s) {
    const StageConfig& stage = config.stages[s];
    const auto holder = stages->register_module(std::to_string(s), std::make_shared<torch::nn::Module>());
    const auto list = holder->register_module("blocks", std::make_shared<torch::nn::Module>());
    for (int b = 0; b < stage.blocks; ++b) {
      const Bottleneck::Shape shape{.in = in,
                                    .out = stage.channels,
                                    .stride = b == 0 ? stage.stride : 1,
                                    .groups = config.groups,
                                    .downsample = b == 0};
      blocks_.push_back(list->register_module(std::to_string(b), std::make_shared<Bottleneck>(shape)));
      in = stage.channels;
    }
  }
}

torch::Tensor HybridStem::Forward(const torch::Tensor& images) const {
  torch::Tensor x = images.contiguous(torch::MemoryFormat::ChannelsLast);
  x = MaxPoolSame(stem_norm_->Forward(stem_conv_->Forward(x), Activation::kRelu));
  for (const auto& block : blocks_) x = block->Forward(x);
  return x;
}

}  // namespace sightline::model
