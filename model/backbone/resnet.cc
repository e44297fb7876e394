#include "model/backbone/resnet.h"

#include <string>
#include <utility>

namespace sightline::model {
namespace {

// A convolution without bias and its norm, under the names given.
ConvNorm RegisterResnetConv(torch::nn::Module& owner, const std::string& conv, const std::string& norm,
                            ConvShape shape) {
  shape.bias = false;
  return {owner.register_module(conv, std::make_shared<Conv>(shape)),
          owner.register_module(norm, std::make_shared<BatchNorm>(shape.out))};
}

// The convolutions of a block in order. Kernels of 3 keep the size.
std::vector<ConvShape> ResnetBlockConvs(const ResnetBlock::Shape& shape) {
  if (shape.kind == ResnetBlockKind::kBasic) {
    return {{.in = shape.in, .out = shape.out, .kernel = 3, .stride = shape.stride, .padding = 1},
            {.in = shape.out, .out = shape.out, .kernel = 3, .padding = 1}};
  }
  const bool on_3x3 = shape.stride_on == ResnetStrideOn::k3x3;
  return {{.in = shape.in, .out = shape.middle, .stride = on_3x3 ? 1 : shape.stride},
          {.in = shape.middle, .out = shape.middle, .kernel = 3, .stride = on_3x3 ? shape.stride : 1, .padding = 1},
          {.in = shape.middle, .out = shape.out}};
}

}  // namespace

ResnetBlock::ResnetBlock(const Shape& shape) {
  const std::vector<ConvShape> shapes = ResnetBlockConvs(shape);
  for (size_t i = 0; i < shapes.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    convs_.push_back(RegisterResnetConv(*this, "conv" + number, "bn" + number, shapes[i]));
  }
  if (shape.in != shape.out || shape.stride != 1) {
    const auto holder = register_module("downsample", std::make_shared<torch::nn::Module>());
    downsample_.emplace(
        RegisterResnetConv(*holder, "0", "1", {.in = shape.in, .out = shape.out, .stride = shape.stride}));
  }
}

void ResnetBlock::Plan(const PlanOptions& options) {
  for (ConvNorm& conv : convs_) conv.Plan(options);
  if (downsample_.has_value()) downsample_->Plan(options);
}

torch::Tensor ResnetBlock::Forward(const torch::Tensor& x) const {
  torch::Tensor y = x;
  for (size_t i = 0; i + 1 < convs_.size(); ++i) y = convs_[i].Forward(y, Activation::kRelu);
  return convs_.back().AddToAndRelu(downsample_.has_value() ? downsample_->Forward(x) : x, y);
}

Resnet::Resnet(const ResnetConfig& config)
    : channel_order_(config.channel_order),
      stem_(RegisterResnetConv(*this, "conv1", "bn1",
                               {.in = 3, .out = config.width, .kernel = 7, .stride = 2, .padding = 3})) {
  int64_t in = config.width;
  for (size_t s = 0; s < config.blocks.size(); ++s) {
    Stage stage;
    const auto list = register_module("layer" + std::to_string(s + 1), std::make_shared<torch::nn::Module>());
    for (int b = 0; b < config.blocks[s]; ++b) {
      const ResnetBlock::Shape shape{.in = in,
                                     .middle = int64_t{config.width} << s,
                                     .out = config.stage_channels(s),
                                     .stride = b == 0 ? config.stage_stride(s) : 1,
                                     .kind = config.block,
                                     .stride_on = config.stride_on};
      stage.blocks.push_back(list->register_module(std::to_string(b), std::make_shared<ResnetBlock>(shape)));
      in = shape.out;
    }
    if (const int middle = config.second_order(s); middle > 0) {
      // conv2_x of the publications is layer1.
      stage.attention =
          register_module("soa" + std::to_string(s + 2), std::make_shared<SecondOrderAttention>(in, middle));
    }
    stages_.push_back(std::move(stage));
  }
}

Features Resnet::Forward(const torch::Tensor& images, const Wanted& wanted) {
  torch::Tensor x = channel_order_ == ChannelOrder::kBgr ? images.flip(1) : images;
  x = stem_.Forward(x.contiguous(torch::MemoryFormat::ChannelsLast), Activation::kRelu);
  x = MaxPoolPadded(x);
  Features features;
  const auto count = static_cast<int64_t>(stages_.size());
  for (int64_t s = 0; s < count; ++s) {
    for (const auto& block : stages_[s].blocks) x = block->Forward(x);
    if (stages_[s].attention) x = stages_[s].attention->Forward(x);
    // The next stage leaves a kept map alone: it has other channels, so its first block has a shortcut of its own.
    if (s >= count - wanted.maps) features.maps.push_back(x);
  }
  features.height = x.size(2);
  features.width = x.size(3);
  return features;
}

}  // namespace sightline::model
