// DToP (deep token pooling, arXiv 2210.11909): the class tokens of the last k layers make a global vector, their patch
// tokens a local one, both together the descriptor.
//
//   u_c = FC([cls of k layers])            Y  = conv1x1([patch maps of k layers])
//   Y'  = FUSE(Y, ELM(Y))                  u_p = FC(GAP(Y'))
//   u   = BN(FC(DROPOUT([u_c ; u_p])))
//
// Layers are concatenated oldest first along the channels. A branch, or ELM with FUSE, may be switched off: the final
// FC then reads what is left, and without both branches the descriptor is the class token of the last layer. Parameter
// names: global_fc, local_conv, elm, fuse, local_fc, final_fc, bn.
#ifndef SIGHTLINE_MODEL_HEAD_DTOP_H_
#define SIGHTLINE_MODEL_HEAD_DTOP_H_

#include <memory>

#include "model/config/architecture.h"
#include "model/head/elm.h"
#include "model/head/fuse.h"
#include "model/head/head.h"
#include "model/layers/linear.h"
#include "model/layers/norm.h"

namespace sightline::model {

class Dtop : public Head {
 public:
  // Every stage of the computation, in the order above; undefined where it is switched off.
  struct Parts {
    torch::Tensor global;     // u_c (B, N)
    torch::Tensor map;        // Y (B, D, h, w)
    torch::Tensor local_map;  // ELM(Y) (B, D, h, w)
    torch::Tensor fused;      // Y' (B, D, h, w)
    torch::Tensor local;      // u_p (B, N)
    torch::Tensor result;     // u (B, N)
  };

  Dtop(const DtopConfig& config, int64_t token_dim);
  Parts ForwardParts(const Features& features);
  torch::Tensor Forward(const Features& features) override { return ForwardParts(features).result; }
  void UseNoise(const HeadNoise& noise) override;

 private:
  class LocalConv;
  void ForwardLocal(const Features& features, Parts& parts);

  double dropout_ = 0;
  // Null where they are switched off.
  std::shared_ptr<Linear> global_fc_;
  std::shared_ptr<LocalConv> local_conv_;
  std::shared_ptr<Elm> elm_;
  std::shared_ptr<FuseLayer> fuse_;
  std::shared_ptr<Linear> local_fc_;
  std::shared_ptr<Linear> final_fc_;
  std::shared_ptr<BatchNorm> bn_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_DTOP_H_
