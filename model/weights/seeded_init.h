// The seeded initialisation: what a model runs on when it has no weights. No data goes into it, only a seed.
//
// Threading: pure functions. Failure: none.
//
//   InitialiseSeeded(InferenceTensors(*network), depth, seed);
#ifndef SIGHTLINE_MODEL_WEIGHTS_SEEDED_INIT_H_
#define SIGHTLINE_MODEL_WEIGHTS_SEEDED_INIT_H_

#include <cstdint>
#include <vector>

#include "model/weights/load.h"

namespace sightline::model {

// Fills every tensor, each from a stream of its own, so that a tensor's values do not depend on the others. Made for
// colour and texture statistics: Gabor filters first, variance kept from layer to layer, thresholds that make features
// sparse, weak residual branches, and a head that averages instead of mixing. `depth` is the number of transformer
// blocks.
void InitialiseSeeded(const std::vector<NamedTensor>& tensors, int depth, uint64_t seed);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_WEIGHTS_SEEDED_INIT_H_
