// How many learned values an architecture has, from its numbers alone: a hostile model.json is refused before anything
// of its size is allocated. Running statistics of batch norms are not counted.
//
// Threading: pure functions. Failure: none.
//
//   CountParameters(backbone)  // 97890112 for the R50+ViT-B/16 hybrid with grid 14
#ifndef SIGHTLINE_MODEL_CONFIG_PARAMETER_COUNT_H_
#define SIGHTLINE_MODEL_CONFIG_PARAMETER_COUNT_H_

#include <cstdint>

#include "model/config/architecture.h"

namespace sightline::model {

int64_t CountParameters(const BackboneConfig& config);
// `token_dim` is the backbone's D.
int64_t CountParameters(const HeadConfig& config, int64_t token_dim);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_PARAMETER_COUNT_H_
