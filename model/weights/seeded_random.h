// SeededRandom: the numbers behind a seeded initialisation. The same on every machine and with every library version,
// because only integer operations, additions and one multiplication make them.
//
// Threading: one thread at a time. Failure: none.
//
//   SeededRandom random(7, "backbone.cls_token");
//   const float value = random.Normal();
#ifndef SIGHTLINE_MODEL_WEIGHTS_SEEDED_RANDOM_H_
#define SIGHTLINE_MODEL_WEIGHTS_SEEDED_RANDOM_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace sightline::weights {

class SeededRandom {
 public:
  // A stream of its own for every pair of seed and name.
  SeededRandom(uint64_t seed, absl::string_view name);

  // Mean 0, variance 1: the sum of four uniform values, scaled. Bounded by 2 sqrt(3), so no outliers.
  float Normal();

  // In [0, 1), a multiple of 2^-24.
  float Uniform();

 private:
  uint64_t Next();
  uint64_t state_;
};

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_SEEDED_RANDOM_H_
