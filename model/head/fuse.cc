#include "model/head/fuse.h"

namespace sightline::model {

FuseLayer::FuseLayer(Fuse kind) : kind_(kind) {
  if (kind != Fuse::kSum) w_ = register_parameter("w", torch::ones({2}));
}

torch::Tensor FuseLayer::Forward(const torch::Tensor& y, const torch::Tensor& e) const {
  constexpr double kEpsilon = 1e-4;
  switch (kind_) {
    case Fuse::kSum: return y + e;
    case Fuse::kFastNorm: {
      const torch::Tensor w = torch::relu(w_);
      return (w[0] * y + w[1] * e) / (w.sum() + kEpsilon);
    }
    case Fuse::kSoftmax: {
      const torch::Tensor w = torch::softmax(w_, 0);
      return w[0] * y + w[1] * e;
    }
  }
  return y;
}

}  // namespace sightline::model
