#include "model/backbone/vit.h"

#include <optional>
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
  torch::Tensor Forward(const torch::Tensor& x) const { return fc2_->Forward(fc1_->Forward(x, Activation::kGelu)); }
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x) const {
    return fc2_->AddTo(residual, fc1_->Forward(x, Activation::kGelu));
  }

 private:
  std::shared_ptr<Linear> fc1_;
  std::shared_ptr<Linear> fc2_;
};

// residual + gamma * x, gamma per channel.
class VitBlock::LayerScale : public Layer {
 public:
  explicit LayerScale(int64_t dim) : gamma_(register_parameter("gamma", torch::ones({dim}))) {}
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x) const {
    return torch::addcmul(residual, gamma_, x);
  }

 private:
  torch::Tensor gamma_;
};

VitBlock::VitBlock(const EncoderConfig& config)
    : norm1_(register_module("norm1", std::make_shared<LayerNorm>(config.dim, config.norm_epsilon))),
      attn_(register_module("attn", std::make_shared<Attention>(config.dim, config.heads, config.qkv_bias))),
      norm2_(register_module("norm2", std::make_shared<LayerNorm>(config.dim, config.norm_epsilon))),
      mlp_(register_module("mlp", std::make_shared<Mlp>(config.dim, config.dim * config.mlp_ratio))) {
  if (config.layer_scale) {
    ls1_ = register_module("ls1", std::make_shared<LayerScale>(config.dim));
    ls2_ = register_module("ls2", std::make_shared<LayerScale>(config.dim));
  }
}

torch::Tensor VitBlock::Forward(const torch::Tensor& x, const TokenGrid& grid, torch::Tensor* cls_attention,
                                Rollout* rollout) const {
  const torch::Tensor normed = norm1_->Forward(x);
  if (rollout != nullptr) {
    const auto [q, k] = attn_->QueriesAndKeys(normed);
    rollout->Add(q, k, grid, grid);
  }
  const torch::Tensor attended =
      ls1_ ? ls1_->AddTo(x, attn_->Forward(normed, cls_attention)) : attn_->AddTo(x, normed, cls_attention);
  const torch::Tensor wide = norm2_->Forward(attended);
  return ls2_ ? ls2_->AddTo(attended, mlp_->Forward(wide)) : mlp_->AddTo(attended, wide);
}

Vit::Vit(const EncoderConfig& config, std::shared_ptr<PatchEmbed> patch_embed)
    : config_(config), patch_embed_(register_module("patch_embed", std::move(patch_embed))) {
  const auto add_tokens = [this](const char* name, int64_t count) {
    prefix_tokens_.push_back(register_parameter(name, torch::empty({1, count, config_.dim})));
  };
  add_tokens("cls_token", 1);
  if (config.distilled) add_tokens("dist_token", 1);
  if (config.registers > 0) add_tokens("reg_token", config.registers);
  if (config.learned_grid()) {
    const int64_t rows = config.position_prefix() + int64_t{config.grid} * config.grid;
    pos_embed_ = register_parameter("pos_embed", torch::empty({1, rows, config.dim}));
  }
  if (config.position == Position::kCpe) {
    const ConvShape depthwise{.in = config.dim, .out = config.dim, .kernel = 3, .padding = 1, .groups = config.dim};
    pos_conv_ = register_module("pos_conv", std::make_shared<Conv>(depthwise));
  }
  const auto list = register_module("blocks", std::make_shared<torch::nn::Module>());
  for (int i = 0; i < config.depth; ++i) {
    blocks_.push_back(list->register_module(std::to_string(i), std::make_shared<VitBlock>(config)));
  }
  norm_ = register_module("norm", std::make_shared<LayerNorm>(config.dim, config.norm_epsilon));
}

torch::Tensor Vit::Embed(const torch::Tensor& map) const {
  const int64_t cells = map.size(2) * map.size(3);
  torch::Tensor patches = map.flatten(2).transpose(1, 2);
  torch::Tensor prefix = torch::cat(prefix_tokens_, 1);
  if (pos_embed_.defined()) {
    const int64_t rows = config_.position_prefix();
    const torch::Tensor positions =
        ResizePositionEmbedding(pos_embed_, map.size(2), map.size(3), rows,
                                config_.position == Position::kBicubic ? GridResize::kBicubic : GridResize::kBilinear);
    patches = patches + positions.narrow(1, rows, cells);
    prefix = torch::cat(
        {prefix.narrow(1, 0, rows) + positions.narrow(1, 0, rows), prefix.narrow(1, rows, prefix.size(1) - rows)}, 1);
  }
  return torch::cat({prefix.expand({map.size(0), -1, -1}), patches}, 1);
}

torch::Tensor Vit::EncodePosition(const torch::Tensor& tokens, const TokenGrid& grid) const {
  const int64_t cells = grid.height * grid.width;
  const torch::Tensor patches = tokens.narrow(1, grid.prefix, cells);
  // (B, M, D) is (B, D, h, w) with channels last.
  const torch::Tensor map =
      patches.reshape({tokens.size(0), grid.height, grid.width, tokens.size(2)}).permute({0, 3, 1, 2});
  const torch::Tensor encoding = pos_conv_->Forward(map).flatten(2).transpose(1, 2);
  return torch::cat({tokens.narrow(1, 0, grid.prefix), patches + encoding}, 1);
}

Features Vit::Forward(const torch::Tensor& images, const Wanted& wanted) {
  const torch::Tensor map = patch_embed_->Forward(images);
  const TokenGrid grid{.prefix = config_.prefix(), .height = map.size(2), .width = map.size(3)};
  Features features;
  features.prefix = grid.prefix;
  features.height = grid.height;
  features.width = grid.width;
  torch::Tensor tokens = Embed(map);
  std::optional<Rollout> rollout;
  if (wanted.rollout) rollout.emplace(grid.height, grid.width);

  const auto depth = static_cast<int64_t>(blocks_.size());
  for (int64_t i = 0; i < depth; ++i) {
    torch::Tensor* const cls_attention = i + 1 == depth ? &features.cls_attention : nullptr;
    tokens = blocks_[i]->Forward(tokens, grid, cls_attention, rollout ? &*rollout : nullptr);
    if (i == 0 && pos_conv_) tokens = EncodePosition(tokens, grid);
    if (i >= depth - wanted.layers) features.layers.push_back(norm_->Forward(tokens));
  }
  // The row of the class token's attention goes on with the other tokens of no place.
  features.cls_attention = features.cls_attention.narrow(1, grid.prefix - 1, grid.height * grid.width);
  if (rollout) features.rollout = rollout->Weights(grid.height, grid.width);
  return features;
}

std::shared_ptr<Backbone> BuildVit(const VitConfig& config) {
  return std::make_shared<Vit>(config.encoder, std::make_shared<LinearPatchEmbed>(config.encoder.dim, config.patch));
}

}  // namespace sightline::model
