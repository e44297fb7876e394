// Vit: the pre-norm vision transformer of timm, with dynamic position embedding, over any patch embedding.
//
// Parameter names are timm's: patch_embed.*, cls_token, pos_embed, blocks.{i}.{norm1,attn.qkv,attn.proj,norm2,mlp.fc1,
// mlp.fc2}.*, norm.*; there is no classifier.
#ifndef SIGHTLINE_MODEL_BACKBONE_VIT_H_
#define SIGHTLINE_MODEL_BACKBONE_VIT_H_

#include <memory>
#include <vector>

#include "model/backbone/attention.h"
#include "model/backbone/backbone.h"
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

// x += attn(norm1(x)); x += fc2(gelu(fc1(norm2(x)))), with the exact (erf) GELU.
class VitBlock : public Layer {
 public:
  explicit VitBlock(const EncoderConfig& config);
  // The result may be written into `x`, which is not to be read again.
  torch::Tensor Forward(const torch::Tensor& x, torch::Tensor* cls_attention) const;

 private:
  class Mlp;
  std::shared_ptr<LayerNorm> norm1_;
  std::shared_ptr<Attention> attn_;
  std::shared_ptr<LayerNorm> norm2_;
  std::shared_ptr<Mlp> mlp_;
};

class Vit : public Backbone {
 public:
  Vit(const EncoderConfig& config, std::shared_ptr<PatchEmbed> patch_embed);
  Features Forward(const torch::Tensor& images, const Wanted& wanted) override;

 private:
  std::shared_ptr<PatchEmbed> patch_embed_;
  torch::Tensor cls_token_;
  torch::Tensor pos_embed_;
  std::vector<std::shared_ptr<VitBlock>> blocks_;
  std::shared_ptr<LayerNorm> norm_;
};

// Plain ViT.
std::shared_ptr<Backbone> BuildVit(const VitConfig& config);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_VIT_H_
