// NetVLAD (METHODS 4.2): for every cluster the sum of what the map's positions differ from its centroid by, each
// position counted as far as it belongs to the cluster. x is L2-normalised over the channels.
//
//   a = softmax over k of conv1x1(x)        V_k = sum_i a_k(x_i) (x_i - c_k)
//   d = [L2(V_1) .. L2(V_K)], L2; then WPCA, a linear map, if there is one
//
// Parameter names are those of the best-known implementation: pool.conv.{weight (K, C, 1, 1),bias}, pool.centroids
// (K, C), WPCA.0.{weight (d, K C, 1, 1),bias}.
#ifndef SIGHTLINE_MODEL_HEAD_NETVLAD_H_
#define SIGHTLINE_MODEL_HEAD_NETVLAD_H_

#include <memory>

#include "model/config/netvlad_config.h"
#include "model/head/head.h"
#include "model/layers/conv.h"

namespace sightline::model {

class Netvlad : public Head {
 public:
  Netvlad(const NetvladConfig& config, int64_t dim);
  torch::Tensor Forward(const Features& features) override;

 private:
  std::shared_ptr<Conv> assign_;
  torch::Tensor centroids_;
  std::shared_ptr<Conv> wpca_;  // null without one
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_NETVLAD_H_
