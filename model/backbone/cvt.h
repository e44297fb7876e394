// Cvt: a transformer of stages that begin with a convolution, whose queries, keys and values pass a depthwise
// convolution.
//
//   stage      convolution with bias -> LayerNorm; in the last stage a class token in front; blocks
//   block      x += proj(attn(norm1(x))); x += fc2(quickgelu(fc1(norm2(x))))
//   attention  q, k, v = linear(norm(depthwise 3x3(x))), stride 1 for q and 2 for k and v; the class token goes round
//   the
//              convolution. softmax(q k^T / sqrt(C)) v with the width C of the whole stage, not of a head
//
// No position embedding: any size is taken. It gives the token sequences of the last stage, behind the final norm.
// Epsilon of all norms 1e-5. Attention of the class token and rollout are over the grid of keys, half as fine as the
// tokens', and repeated over the tokens.
//
// Parameter names are those of the published files: stage{s}.patch_embed.{proj,norm}.*, stage{s}.cls_token,
// stage{s}.blocks.{b}.{norm1,attn.conv_proj_{q,k,v}.{conv,bn},attn.proj_{q,k,v},attn.proj,norm2,mlp.fc1,mlp.fc2}.*,
// norm.*.
#ifndef SIGHTLINE_MODEL_BACKBONE_CVT_H_
#define SIGHTLINE_MODEL_BACKBONE_CVT_H_

#include <memory>
#include <vector>

#include "model/backbone/backbone.h"
#include "model/config/cvt_config.h"
#include "model/layers/norm.h"

namespace sightline::model {

class CvtStage;

class Cvt : public Backbone {
 public:
  explicit Cvt(const CvtConfig& config);
  Features Forward(const torch::Tensor& images, const Wanted& wanted) override;

 private:
  std::vector<std::shared_ptr<CvtStage>> stages_;
  std::shared_ptr<LayerNorm> norm_;
};

std::shared_ptr<Backbone> BuildCvt(const CvtConfig& config);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_CVT_H_
