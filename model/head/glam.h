// GLAM (global-local attention module, arXiv 2107.08000; METHODS 2): four attentions over the last map, GeM, a linear
// map with a batch norm. With F the map (c, h, w), GAP its mean and A the attention of a part,
//
//   local   F_l = F (1 + A_channel) (1 + A_spatial)
//   global  F_g = F G_channel (1 + G_spatial)
//   d       = BN(FC(GeM(w_l F_l + w_g F_g + w F))),  (w_l, w_g, w) = softmax of three learned values
//
// A part that is switched off counts for 1; a side without parts leaves the sum.
//
// Parameter names: lc.conv.weight; ls.{reduce,b0,b1,b2,b3,out}.*; gc.{q,k}.weight; gs.{q,k,v,out}.*; fuse; pool.p;
// fc.*; bn.*.
#ifndef SIGHTLINE_MODEL_HEAD_GLAM_H_
#define SIGHTLINE_MODEL_HEAD_GLAM_H_

#include <memory>

#include "model/config/glam_config.h"
#include "model/head/fc_stage.h"
#include "model/head/gem.h"
#include "model/head/glam_channel.h"
#include "model/head/glam_spatial.h"
#include "model/head/head.h"

namespace sightline::model {

class Glam : public Head {
 public:
  Glam(const GlamConfig& config, int64_t dim);
  torch::Tensor Forward(const Features& features) override;
  void UseNoise(const HeadNoise& noise) override { fc_.UseDropout(noise.dropout); }

  // The weighted sum in front of GeM: (B, c, h, w) -> (B, c, h, w)
  torch::Tensor Attend(const torch::Tensor& map) const;

 private:
  // Null where they are switched off.
  std::shared_ptr<LocalChannelAttention> lc_;
  std::shared_ptr<LocalSpatialAttention> ls_;
  std::shared_ptr<GlobalChannelAttention> gc_;
  std::shared_ptr<GlobalSpatialAttention> gs_;
  torch::Tensor fuse_;
  std::shared_ptr<GemPool> pool_;
  FcStage fc_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_GLAM_H_
