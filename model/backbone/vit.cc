#include "model/backbone/vit.h"

#include <string>
#include <utility>

#include "model/backbone/position_embedding.h"

namespace sightline::model {

LinearPatchEmbed::LinearPatchEmbed(int64_t dim, int64_t patch)
    : proj_(register_module(
          "proj", std::make_shared<Conv>(ConvShape{.in = 3, .out = dim, .kernel = patch, .stride = patch}))) {}

torch::Tensor LinearPatchEmbed::Forward(const torch::Tensor& images) const { return proj_->Forward(images); }

class VitBlock::Mlp : public Layer {
 public:
  Mlp(int64_t dim, int64_t hidden)
      : fc1_(register_module("fc1", std::make_shared<Linear>(dim, hidden))),
        fc2_(register_module("fc2", std::make_shared<Linear>(hidden, dim))) {}
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x) const {
    return fc2_->AddTo(residual, fc1_->Forward(x, Activation::kGelu));
  }

 private:
  std::shared_ptr<Linear> fc1_;
  std::shared_ptr<Linear> fc2_;
};

VitBlock::VitBlock(const EncoderConfig& config)
    : norm1_(register_module("norm1", std::make_shared<LayerNorm>(config.dim))),
      attn_(register_module("attn", std::make_shared<Attention>(config.dim, config.heads))),
      norm2_(register_module("norm2", std::make_shared<LayerNorm>(config.dim))),
      mlp_(register_module("mlp", std::make_shared<Mlp>(config.dim, config.dim * config.mlp_ratio))) {}

torch::Tensor VitBlock::Forward(const torch::Tensor& x, torch::Tensor* cls_attention) const {
  const torch::Tensor attended = attn_->AddTo(x, norm1_->Forward(x), cls_attention);
  return mlp_->AddTo(attended, norm2_->Forward(attended));
}

Vit::Vit(const EncoderConfig& config, std::shared_ptr<PatchEmbed> patch_embed)
    : patch_embed_(register_module("patch_embed", std::move(patch_embed))),
      cls_token_(register_parameter("cls_token", torch::empty({1, 1, config.dim}))),
      pos_embed_(register_parameter("pos_embed", torch::empty({1, 1 + config.grid * config.grid, config.dim}))) {
  const auto list = register_module("blocks", std::make_shared<torch::nn::Module>());
  for (int i = 0; i < config.depth; ++i) {
    blocks_.push_back(list->register_module(std::to_string(i), std::make_shared<VitBlock>(config)));
  }
  norm_ = register_module("norm", std::make_shared<LayerNorm>(config.dim));
}

Features Vit::Forward(const torch::Tensor& images, const Wanted& wanted) {
  const torch::Tensor map = patch_embed_->Forward(images);
  Features features;
  features.prefix = 1;
  features.height = map.size(2);
  features.width = map.size(3);
  torch::Tensor tokens = torch::cat({cls_token_.expand({map.size(0), -1, -1}), map.flatten(2).transpose(1, 2)}, 1);
  tokens = tokens + ResizePositionEmbedding(pos_embed_, features.height, features.width);

  const auto depth = static_cast<int64_t>(blocks_.size());
  for (int64_t i = 0; i < depth; ++i) {
    tokens = blocks_[i]->Forward(tokens, i + 1 == depth ? &features.cls_attention : nullptr);
    if (i >= depth - wanted.layers) features.layers.push_back(norm_->Forward(tokens));
  }
  return features;
}

std::shared_ptr<Backbone> BuildVit(const VitConfig& config) {
  return std::make_shared<Vit>(config.encoder, std::make_shared<LinearPatchEmbed>(config.encoder.dim, config.patch));
}

}  // namespace sightline::model
