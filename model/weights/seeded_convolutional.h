// The seeded initialisation of residual networks and VGGs.
//
// Threading: pure functions. Failure: none.
//
//   if (!FillConvolutional(target, last_norm, seed)) ...  // not a tensor of theirs
#ifndef SIGHTLINE_MODEL_WEIGHTS_SEEDED_CONVOLUTIONAL_H_
#define SIGHTLINE_MODEL_WEIGHTS_SEEDED_CONVOLUTIONAL_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/weights/load.h"

namespace sightline::model {

// The name that the last norm of a residual block has: "bn3" where any block has three, else "bn2".
absl::string_view LastBlockNorm(const std::vector<NamedTensor>& tensors);

// Fills a tensor of a residual network's or VGG's backbone; false for any other. Gabor filters first, then random ones
// whose values sum to zero: behind rectifiers all channels share a mean, which would make all images alike after a few
// layers. Blocks add little to their shortcut, and second-order attention nothing, as where its training begins.
bool FillConvolutional(const NamedTensor& target, absl::string_view last_block_norm, uint64_t seed);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_WEIGHTS_SEEDED_CONVOLUTIONAL_H_
