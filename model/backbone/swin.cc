#include "model/backbone/swin.h"

#include <string>
#include <utility>

#include "model/backbone/window_attention.h"
#include "model/layers/linear.h"

namespace sightline::model {
namespace {

constexpr double kSwinEpsilon = 1e-5;

// What n lacks.
int64_t ToMultiple(int64_t n, int64_t multiple) { return (multiple - n % multiple) % multiple; }

}  // namespace

class SwinMlp : public Layer {
 public:
  SwinMlp(int64_t dim, int64_t hidden)
      : fc1_(register_module("fc1", std::make_shared<Linear>(dim, hidden))),
        fc2_(register_module("fc2", std::make_shared<Linear>(hidden, dim))) {}
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x) const {
    return fc2_->AddTo(residual, fc1_->Forward(x, Activation::kGelu));
  }

 private:
  std::shared_ptr<Linear> fc1_;
  std::shared_ptr<Linear> fc2_;
};

class SwinBlock : public Layer {
 public:
  SwinBlock(int64_t dim, int64_t heads, int64_t window, int64_t hidden)
      : norm1_(register_module("norm1", std::make_shared<LayerNorm>(dim, kSwinEpsilon))),
        attn_(register_module("attn", std::make_shared<WindowAttention>(dim, heads, window))),
        norm2_(register_module("norm2", std::make_shared<LayerNorm>(dim, kSwinEpsilon))),
        mlp_(register_module("mlp", std::make_shared<SwinMlp>(dim, hidden))) {}

  // (B, h, w, C). The result may be written into `x`, which is not to be read again.
  torch::Tensor Forward(const torch::Tensor& x, const WindowLayout& layout, const torch::Tensor& mask) const {
    const torch::Tensor attended = attn_->AddTo(x, norm1_->Forward(x), layout, mask);
    return mlp_->AddTo(attended, norm2_->Forward(attended));
  }

 private:
  std::shared_ptr<LayerNorm> norm1_;
  std::shared_ptr<WindowAttention> attn_;
  std::shared_ptr<LayerNorm> norm2_;
  std::shared_ptr<SwinMlp> mlp_;
};

// (B, h, w, C) -> (B, ceil(h / 2), ceil(w / 2), 2C)
class PatchMerging : public Layer {
 public:
  explicit PatchMerging(int64_t dim)
      : norm_(register_module("norm", std::make_shared<LayerNorm>(4 * dim, kSwinEpsilon))),
        reduction_(register_module("reduction", std::make_shared<Linear>(4 * dim, 2 * dim, /*bias=*/false))) {}

  torch::Tensor Forward(const torch::Tensor& x) const {
    const int64_t rows = ToMultiple(x.size(1), 2);
    const int64_t columns = ToMultiple(x.size(2), 2);
    const torch::Tensor even = rows + columns == 0 ? x : torch::constant_pad_nd(x, {0, 0, 0, columns, 0, rows});
    // (B, h / 2, row of two, w / 2, column of two, C); the rows of a pair follow each other fastest.
    const torch::Tensor pairs = even.view({x.size(0), even.size(1) / 2, 2, even.size(2) / 2, 2, x.size(3)})
                                    .permute({0, 1, 3, 4, 2, 5})
                                    .reshape({x.size(0), even.size(1) / 2, even.size(2) / 2, 4 * x.size(3)});
    return reduction_->Forward(norm_->Forward(pairs));
  }

 private:
  std::shared_ptr<LayerNorm> norm_;
  std::shared_ptr<Linear> reduction_;
};

class SwinStage : public Layer {
 public:
  SwinStage(int64_t dim, int64_t heads, int64_t depth, const SwinConfig& config, bool last) : window_(config.window) {
    const auto list = register_module("blocks", std::make_shared<torch::nn::Module>());
    for (int64_t i = 0; i < depth; ++i) {
      auto block = std::make_shared<SwinBlock>(dim, heads, config.window, dim * config.mlp_ratio);
      blocks_.push_back(list->register_module(std::to_string(i), std::move(block)));
    }
    if (!last) downsample_ = register_module("downsample", std::make_shared<PatchMerging>(dim));
  }

  // (B, h, w, C) -> the next stage's input, or the last map.
  torch::Tensor Forward(torch::Tensor x) const {
    const WindowLayout straight = WindowLayout::Of(x.size(1), x.size(2), window_, /*shifted=*/false);
    const WindowLayout shifted = WindowLayout::Of(x.size(1), x.size(2), window_, /*shifted=*/true);
    const torch::Tensor mask = blocks_.size() > 1 ? shifted.Mask(x.device()) : torch::Tensor();
    for (size_t i = 0; i < blocks_.size(); ++i) {
      x = i % 2 == 0 ? blocks_[i]->Forward(x, straight, {}) : blocks_[i]->Forward(x, shifted, mask);
    }
    return downsample_ ? downsample_->Forward(x) : x;
  }

 private:
  const int64_t window_;
  std::vector<std::shared_ptr<SwinBlock>> blocks_;
  std::shared_ptr<PatchMerging> downsample_;  // null behind the last stage
};

Swin::Swin(const SwinConfig& config) : patch_(config.patch) {
  const auto embed = register_module("patch_embed", std::make_shared<torch::nn::Module>());
  const ConvShape patches{.in = 3, .out = config.dim, .kernel = config.patch, .stride = config.patch};
  proj_ = embed->register_module("proj", std::make_shared<Conv>(patches));
  embed_norm_ = embed->register_module("norm", std::make_shared<LayerNorm>(config.dim, kSwinEpsilon));
  const auto layers = register_module("layers", std::make_shared<torch::nn::Module>());
  for (size_t s = 0; s < config.depths.size(); ++s) {
    auto stage = std::make_shared<SwinStage>(int64_t{config.dim} << s, config.heads[s], config.depths[s], config,
                                             /*last=*/s + 1 == config.depths.size());
    stages_.push_back(layers->register_module(std::to_string(s), std::move(stage)));
  }
  norm_ = register_module("norm", std::make_shared<LayerNorm>(config.facts().dim, kSwinEpsilon));
}

Features Swin::Forward(const torch::Tensor& images, const Wanted&) {
  const int64_t rows = ToMultiple(images.size(2), patch_);
  const int64_t columns = ToMultiple(images.size(3), patch_);
  const torch::Tensor whole = rows + columns == 0 ? images : torch::constant_pad_nd(images, {0, columns, 0, rows});
  torch::Tensor x = embed_norm_->Forward(proj_->Forward(whole).permute({0, 2, 3, 1}).contiguous());
  for (const auto& stage : stages_) x = stage->Forward(x);
  Features features;
  features.height = x.size(1);
  features.width = x.size(2);
  features.maps.push_back(norm_->Forward(x).permute({0, 3, 1, 2}));
  return features;
}

std::shared_ptr<Backbone> BuildSwin(const SwinConfig& config) { return std::make_shared<Swin>(config); }

}  // namespace sightline::model
