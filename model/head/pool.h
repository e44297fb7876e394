// Heads that pool the last map, or a transformer's grid of patch tokens: GAP, SPoC, MAC, CroW, R-MAC, GeM, and with it
// DELG's and SOLAR's (METHODS 4.3 to 4.8).
//
// Parameter names: pool.p (1) of a GeM that learns its exponent; fc.{weight,bias}, bn.* of the linear map behind.
#ifndef SIGHTLINE_MODEL_HEAD_POOL_H_
#define SIGHTLINE_MODEL_HEAD_POOL_H_

#include <memory>

#include "model/config/pool_config.h"
#include "model/head/fc_stage.h"
#include "model/head/gem.h"
#include "model/head/head.h"

namespace sightline::model {

// The mean over positions, weighted by a Gaussian around the middle of the map: its standard deviation is a third of
// the way from the middle to the nearest border. (B, C, h, w) -> (B, C)
torch::Tensor SpocPool(const torch::Tensor& map);

// Cross-dimensional weighting (METHODS 4.3): d_c = w_c sum_i s_i x_ci over max(x, 0), with s = sqrt(S / |S|), S the sum
// over channels, and w_c = ln(sum of Q / Q_c), Q_c the share of positions where channel c is not zero; w_c = 0 for a
// channel that is zero everywhere. (B, C, h, w) -> (B, C)
torch::Tensor CrowPool(const torch::Tensor& map);

class PoolHead : public Head {
 public:
  PoolHead(const PoolConfig& config, int64_t dim);
  torch::Tensor Forward(const Features& features) override;
  void UseNoise(const HeadNoise& noise) override { fc_.UseDropout(noise.dropout); }
  double exponent() const override { return gem_ == nullptr ? 1 : gem_->exponent(); }

 private:
  torch::Tensor Pool(const torch::Tensor& map) const;

  const PoolConfig config_;
  std::shared_ptr<GemPool> gem_;  // null for the others
  FcStage fc_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_POOL_H_
