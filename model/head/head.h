// Head: the features of a backbone in, descriptors out, before the last L2 normalisation.
#ifndef SIGHTLINE_MODEL_HEAD_HEAD_H_
#define SIGHTLINE_MODEL_HEAD_HEAD_H_

#include "model/backbone/backbone.h"

namespace sightline::model {

class Head : public Layer {
 public:
  // (B, N)
  virtual torch::Tensor Forward(const Features& features) = 0;

  // The map into token space that this head shares with the patches, (..., C) -> (..., Ct), for a model whose
  // tokens.projection is "head". Undefined for a head that has none.
  virtual torch::Tensor ProjectTokens(const torch::Tensor&) const { return {}; }

  // Of the generalised mean that its vectors are; 1 for any other head.
  virtual double exponent() const { return 1; }
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_HEAD_H_
