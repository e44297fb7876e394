// Vit: the pre-norm vision transformer of timm, with dynamic position embedding, over any patch embedding.
//
// Parameter names are timm's: patch_embed.*, cls_token, pos_embed, blocks.{i}.{norm1,attn.qkv,attn.proj,norm2,mlp.fc1,
// mlp.fc2}.*, norm.*; with the options dist_token, reg_token and blocks.{i}.{ls1,ls2}.gamma; pos_conv.* is ours. There
// is no classifier.
#ifndef SIGHTLINE_MODEL_BACKBONE_VIT_H_
#define SIGHTLINE_MODEL_BACKBONE_VIT_H_

#include <memory>
#include <vector>

#include "model/backbone/attention.h"
#include "model/backbone/backbone.h"
#include "model/backbone/rollout.h"
#include "model/config/architecture.h"
#include "model/layers/conv.h"
#include "model/layers/linear.h"
#include "model/layers/norm.h"

namespace sightline::model {

// (B, 3, H, W) -> (B, D, h, w): one token per position.
class PatchEmbed : public Layer {
 public:
  virtual torch::Tensor Forward(const torch::Tensor& images) const = 0;
};

// Patches of patch x patch pixels, one linear map each.
class LinearPatchEmbed : public PatchEmbed {
 public:
  LinearPatchEmbed(int64_t dim, int64_t patch);
  torch::Tensor Forward(const torch::Tensor& images) const override;

 private:
  std::shared_ptr<Conv> proj_;
};

// x += ls1 * attn(norm1(x)); x += ls2 * fc2(gelu(fc1(norm2(x)))), with the exact (erf) GELU. Without layer scale ls1
// and ls2 are 1.
class VitBlock : public Layer {
 public:
  explicit VitBlock(const EncoderConfig& config);
  // x (B, prefix + h * w, D). The result may be written into `x`, which is not to be read again. `cls_attention` as
  // Attention gives it; with `rollout` the block's attention over `grid` is followed. Either may be null.
  torch::Tensor Forward(const torch::Tensor& x, const TokenGrid& grid, torch::Tensor* cls_attention,
                        Rollout* rollout) const;

 private:
  class Mlp;
  class LayerScale;
  std::shared_ptr<LayerNorm> norm1_;
  std::shared_ptr<Attention> attn_;
  std::shared_ptr<LayerScale> ls1_;  // null without layer scale
  std::shared_ptr<LayerNorm> norm2_;
  std::shared_ptr<Mlp> mlp_;
  std::shared_ptr<LayerScale> ls2_;
};

class Vit : public Backbone {
 public:
  Vit(const EncoderConfig& config, std::shared_ptr<PatchEmbed> patch_embed);
  Features Forward(const torch::Tensor& images, const Wanted& wanted) override;

 private:
  // (B, D, h, w) -> (B, prefix + h * w, D), positions added.
  torch::Tensor Embed(const torch::Tensor& map) const;
  // x + depthwise 3x3 convolution of x over the grid; tokens of no place stay as they are.
  torch::Tensor EncodePosition(const torch::Tensor& tokens, const TokenGrid& grid) const;

  const EncoderConfig config_;
  std::shared_ptr<PatchEmbed> patch_embed_;
  std::vector<torch::Tensor> prefix_tokens_;  // class, distillation and register tokens, (1, n, D) each
  torch::Tensor pos_embed_;                   // undefined without a learned grid
  std::shared_ptr<Conv> pos_conv_;            // null without conditional position encoding
  std::vector<std::shared_ptr<VitBlock>> blocks_;
  std::shared_ptr<LayerNorm> norm_;
};

// Plain ViT.
std::shared_ptr<Backbone> BuildVit(const VitConfig& config);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_VIT_H_
