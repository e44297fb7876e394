// The heads "cls" and "irt" (METHODS 4.10): the class token of the last layer, and a linear map if one is configured.
//
// Parameter names: fc.{weight,bias}, bn.*.
#ifndef SIGHTLINE_MODEL_HEAD_CLASS_TOKEN_H_
#define SIGHTLINE_MODEL_HEAD_CLASS_TOKEN_H_

#include "model/config/token_config.h"
#include "model/head/fc_stage.h"
#include "model/head/head.h"

namespace sightline::model {

class ClassTokenHead : public Head {
 public:
  ClassTokenHead(const ClassTokenConfig& config, int64_t dim) : fc_(*this, config.fc, dim) {}
  torch::Tensor Forward(const Features& features) override { return fc_.Forward(features.layers.back().select(1, 0)); }

 private:
  const FcStage fc_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_HEAD_CLASS_TOKEN_H_
