// FUSE: two maps of one shape into one, by learned weights.
#ifndef SIGHTLINE_MODEL_HEAD_FUSE_H_
#define SIGHTLINE_MODEL_HEAD_FUSE_H_

#include "model/config/architecture.h"
#include "model/layers/layer.h"

namespace sightline::model {

// sum:       y + e
// fast_norm: (w1 y + w2 e) / (w1 + w2 + 1e-4), wi = ReLU(ai) (EfficientDet's fast normalised fusion)
// softmax:   sum of softmax(a)_i x_i
// a is the parameter "w" of two values; `sum` has none.
class FuseLayer : public Layer {
 public:
  explicit FuseLayer(Fuse kind);
  torch::Tensor Forward(const torch::Tensor& y, const torch::Tensor& e) const;

 private:
  const Fuse kind_;
  torch::Tensor w_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_FUSE_H_
