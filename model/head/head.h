// Head: the features of a backbone in, descriptors out, before the last L2 normalisation.
#ifndef SIGHTLINE_MODEL_HEAD_HEAD_H_
#define SIGHTLINE_MODEL_HEAD_HEAD_H_

#include "model/backbone/backbone.h"

namespace sightline::model {

class Head : public Layer {
 public:
  // (B, N)
  virtual torch::Tensor Forward(const Features& features) = 0;
  // How many of the backbone's last layers it pools.
  virtual int64_t layers() const = 0;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_HEAD_H_
