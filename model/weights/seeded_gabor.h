// The first filters of a seeded initialisation: a random colour direction times a random Gabor patch.
//
// Threading: pure functions. Failure: none.
//
//   weights::SeededRandom random(seed, name);
//   FillGabor(tensor, random);
#ifndef SIGHTLINE_MODEL_WEIGHTS_SEEDED_GABOR_H_
#define SIGHTLINE_MODEL_WEIGHTS_SEEDED_GABOR_H_

#include <torch/torch.h>

#include "model/weights/seeded_random.h"

namespace sightline::model {

// Fills (out, 3, k, k). Every second filter has no wave, so that colours and textures both get their share; white noise
// would see mostly the highest frequencies. `gain` is the largest value of a patch, for a colour of 1.
void FillGabor(torch::Tensor tensor, weights::SeededRandom& random, double gain = 1);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_WEIGHTS_SEEDED_GABOR_H_
