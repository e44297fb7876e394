// Head: the features of a backbone in, descriptors out, before the last L2 normalisation.
#ifndef SIGHTLINE_MODEL_HEAD_HEAD_H_
#define SIGHTLINE_MODEL_HEAD_HEAD_H_

#include "model/backbone/backbone.h"

namespace sightline::model {

// What makes training harder than inference. Modules in evaluation mode know nothing of it.
struct HeadNoise {
  double dropout = 0;      // probability that a value in front of the last linear map is zeroed
  double wave_height = 0;  // WaveBlock: the relative height of the band that is kept as it is; 0: no WaveBlock
  double wave_factor = 1;  // what the rest of the map is multiplied by
};

class Head : public Layer {
 public:
  // (B, N)
  virtual torch::Tensor Forward(const Features& features) = 0;

  // The map into token space that this head shares with the patches, (..., C) -> (..., Ct), for a model whose
  // tokens.projection is "head". Undefined for a head that has none.
  virtual torch::Tensor ProjectTokens(const torch::Tensor&) const { return {}; }

  // What training adds; a head that has no place for a part of it leaves that out.
  virtual void UseNoise(const HeadNoise&) {}

  // Of the generalised mean that its vectors are; 1 for any other head.
  virtual double exponent() const { return 1; }
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_HEAD_H_
