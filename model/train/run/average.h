// The exponential moving average of a network's values, parameters and running statistics alike.
//
//   a = d a + (1 - d) x, d = min(decay, (1 + t) / (10 + t)): short at first, so that the random beginning is forgotten
//
// Threading: one thread at a time. Ownership: a copy of the values. Failure: LibTorch's exceptions.
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_AVERAGE_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_AVERAGE_H_

#include <cstdint>
#include <vector>

#include "model/weights/load.h"

namespace sightline::train {

class Average {
 public:
  Average(const std::vector<model::NamedTensor>& values, double decay);
  // Behind step `step`, counted from 1. `values` are those of the constructor, changed.
  void Update(const std::vector<model::NamedTensor>& values, int64_t step);
  const std::vector<model::NamedTensor>& values() const { return average_; }

 private:
  const double decay_;
  std::vector<model::NamedTensor> average_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_AVERAGE_H_
