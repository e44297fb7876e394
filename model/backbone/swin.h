// Swin: a transformer over a map, with attention within windows that move by half a window in every second block.
//
//   windows    window x window cells; a map that is no multiple is padded with zeros at the bottom and the right behind
//              the norm, and the padding cut off again
//   shift      every second block rolls the map by half a window; attention between cells that are no neighbours in the
//              unrolled map is masked by -100. An axis that fits into one window is not shifted
//   position   a learned bias per head for every offset (dy, dx) = query - key: row (dy + w - 1)(2w - 1) + (dx + w - 1)
//   merging    between stages: the four cells of every 2 x 2, rows first, concatenated, normed, mapped 4C -> 2C
//
// Any size is taken: images are padded with zeros at the bottom and the right to whole patches, maps to even sides. It
// gives one map, the last, behind the final norm. Epsilon of all norms 1e-5.
//
// Parameter names are those of the published files: patch_embed.{proj,norm}.*, layers.{s}.blocks.{b}.{norm1,
// attn.relative_position_bias_table,attn.qkv,attn.proj,norm2,mlp.fc1,mlp.fc2}.*, layers.{s}.downsample.{norm,
// reduction}.* behind stage s (newer timm counts it to stage s + 1), norm.*. Their buffers relative_position_index and
// attn_mask are computed here and have no tensor.
#ifndef SIGHTLINE_MODEL_BACKBONE_SWIN_H_
#define SIGHTLINE_MODEL_BACKBONE_SWIN_H_

#include <memory>
#include <vector>

#include "model/backbone/backbone.h"
#include "model/config/swin_config.h"
#include "model/layers/conv.h"
#include "model/layers/norm.h"

namespace sightline::model {

class SwinStage;

class Swin : public Backbone {
 public:
  explicit Swin(const SwinConfig& config);
  Features Forward(const torch::Tensor& images, const Wanted& wanted) override;

 private:
  const int64_t patch_;
  std::shared_ptr<Conv> proj_;
  std::shared_ptr<LayerNorm> embed_norm_;
  std::vector<std::shared_ptr<SwinStage>> stages_;
  std::shared_ptr<LayerNorm> norm_;
};

std::shared_ptr<Backbone> BuildSwin(const SwinConfig& config);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_SWIN_H_
