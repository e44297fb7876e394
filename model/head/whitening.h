// Whitening: the optional last step behind any head and the merging of scales (METHODS 4.5).
//
//   v = P (x - m), then L2
//
// Names in the weights file: whitening.mean (N) and whitening.projection (d, N).
#ifndef SIGHTLINE_MODEL_HEAD_WHITENING_H_
#define SIGHTLINE_MODEL_HEAD_WHITENING_H_

#include "model/layers/layer.h"

namespace sightline::model {

// Its tensors are statistics of a collection, not parameters: training leaves them alone.
class Whitening : public Layer {
 public:
  Whitening(int64_t in, int64_t out);
  // (B, N) -> (B, d), both L2-normalised
  torch::Tensor Forward(const torch::Tensor& x) const;

 private:
  torch::Tensor mean_;
  torch::Tensor projection_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_WHITENING_H_
