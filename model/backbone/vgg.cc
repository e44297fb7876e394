#include "model/backbone/vgg.h"

#include <algorithm>
#include <string>

namespace sightline::model {

Vgg::Vgg(const VggConfig& config) : end_(config.end), stride_(config.facts().stride) {
  const auto features = register_module("features", std::make_shared<torch::nn::Module>());
  int64_t in = 3;
  int number = 0;
  for (size_t s = 0; s < config.convs.size(); ++s) {
    const int64_t out = config.stage_channels(s);
    stages_.emplace_back();
    for (int i = 0; i < config.convs[s]; ++i) {
      const ConvShape shape{.in = in, .out = out, .kernel = 3, .padding = 1};
      stages_.back().push_back(features->register_module(std::to_string(number), std::make_shared<Conv>(shape)));
      number += 2;  // the ReLU
      in = out;
    }
    number += 1;  // the pool
  }
}

Features Vgg::Forward(const torch::Tensor& images, const Wanted&) {
  const auto missing = [&](int64_t dimension) { return std::max<int64_t>(stride_ - images.size(dimension), 0); };
  torch::Tensor x = images;
  if (missing(2) > 0 || missing(3) > 0) x = torch::constant_pad_nd(x, {0, missing(3), 0, missing(2)}, 0);
  x = x.contiguous(torch::MemoryFormat::ChannelsLast);
  for (size_t s = 0; s < stages_.size(); ++s) {
    const bool last_stage = s + 1 == stages_.size();
    for (const auto& conv : stages_[s]) {
      const bool bare = last_stage && conv == stages_[s].back() && end_ == VggEnd::kConv;
      x = conv->Forward(x, bare ? Activation::kNone : Activation::kRelu);
    }
    if (!last_stage || end_ == VggEnd::kPool) x = torch::max_pool2d(x, {2, 2});
  }
  Features features;
  features.maps = {x};
  features.height = x.size(2);
  features.width = x.size(3);
  return features;
}

}  // namespace sightline::model
