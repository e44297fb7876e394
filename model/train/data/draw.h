// Draws of an epoch: each item about as often as its weight says, in a random order.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT for weights that are not finite or all 0.
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_DRAW_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_DRAW_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/scene/random.h"

namespace sightline::train {

template <typename T>
void Shuffle(std::vector<T>& values, scene::Random& random) {
  for (size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[static_cast<size_t>(random.Uniform() * static_cast<double>(i))]);
  }
}

// As many draws as there are weights, in a random order: each index as often as its weight against the mean weight says,
// rounded up or down at random (systematic sampling: one random start, equal steps along the summed weights).
absl::StatusOr<std::vector<int64_t>> DrawByWeight(const std::vector<double>& weights, scene::Random& random);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_DRAW_H_
