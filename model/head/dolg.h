// DOLG (deep orthogonal local and global features; METHODS 4.9): a global vector from the last map, and from the map
// before it what is orthogonal to that vector.
//
//   f_g = fc_t(GeM(f4))
//   l   = BN(conv1(ASPP(f3)));  f_l = L2 over channels of l, times softplus(conv2(ReLU(l)))
//   d   = fc([f_g ; mean over positions of f_l - ((f_l . f_g) / |f_g|^2) f_g])
//
// The part along f_g is linear in f_l, so that it is taken off the mean instead of off every position.
//
// Parameter names are those of the published implementation: localmodel.aspp.{aspp.{0..3},im_pool.1,conv_after.0}.*,
// localmodel.{conv1,bn,conv2}.*, pool_g.p, fc_t.*, fc.*.
#ifndef SIGHTLINE_MODEL_HEAD_DOLG_H_
#define SIGHTLINE_MODEL_HEAD_DOLG_H_

#include <memory>
#include <vector>

#include "model/config/dolg_config.h"
#include "model/head/gem.h"
#include "model/head/head.h"
#include "model/layers/conv.h"
#include "model/layers/linear.h"

namespace sightline::model {

// The mean of the image, a 1x1 convolution and three 3x3 with dilation 6, 12, 18, side by side, mixed by a 1x1
// convolution: (B, in, h, w) -> (B, out, h, w).
class DolgAspp : public Layer {
 public:
  DolgAspp(int64_t in, int64_t width, int64_t out);
  torch::Tensor Forward(const torch::Tensor& x) const;

 private:
  std::shared_ptr<Conv> im_pool_, conv_after_;
  std::vector<std::shared_ptr<Conv>> branches_;
};

// The local branch up to the mean of f_l: (B, in, h, w) -> (B, out).
class DolgLocal : public Layer {
 public:
  DolgLocal(int64_t in, const DolgConfig& config);
  torch::Tensor Forward(const torch::Tensor& map) const;
  void Plan(const PlanOptions& options) override { conv1_.Plan(options); }

 private:
  std::shared_ptr<DolgAspp> aspp_;
  ConvNorm conv1_;
  std::shared_ptr<Conv> conv2_;
};

class Dolg : public Head {
 public:
  // `earlier` and `last` are the channels of the last two maps.
  Dolg(const DolgConfig& config, int64_t earlier, int64_t last);
  torch::Tensor Forward(const Features& features) override;

 private:
  std::shared_ptr<DolgLocal> local_;
  std::shared_ptr<GemPool> pool_g_;
  std::shared_ptr<Linear> fc_t_, fc_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_DOLG_H_
