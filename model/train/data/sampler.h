// Sampler: which photographs share a batch, and at which size. Batches of one group of aspect ratios (Yokoo et al.
// 2020; METHODS 2.8, 8), so that nothing is squeezed; with `per_class`, several photographs of every class drawn, which
// losses over pairs need.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT where the data cannot fill a single batch.
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_SAMPLER_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/data/dataset.h"
#include "model/train/data/sampler_config.h"

namespace sightline::train {

struct BatchPlan {
  std::vector<int64_t> photos;  // indices into the dataset
  int height = 0;               // what every one of them becomes, pixels
  int width = 0;
  std::vector<int64_t> labels = {};  // of each of them in this batch; empty: the dataset's
};

// height / width of every photograph, read from the files' headers on `threads` threads; 1 where a header cannot be
// read.
std::vector<double> AspectRatios(const Dataset& dataset, int threads);

// The batches of an epoch, in order: a function of the arguments alone. `aspects` is AspectRatios' answer; it may be
// empty where config has one size for all.
absl::StatusOr<std::vector<BatchPlan>> PlanEpoch(const Dataset& dataset, const std::vector<double>& aspects,
                                                 const SamplerConfig& config, uint64_t seed, int64_t epoch);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_SAMPLER_H_
