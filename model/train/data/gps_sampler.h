// GpsSampler: batches for training on place recognition (METHODS 3.10). A batch is made of groups of a query, one
// database photograph that shows its place, and some of the same label that show others.
//
// Labels are of the batch alone: query and positive share one, every negative has its own. No two photographs of
// different labels are within negative_metres of each other, so that any loss over the pairs of a batch is right about
// all of them, across groups too, and the hardest negatives may come from another group.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT where the data cannot fill a single batch.
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_GPS_SAMPLER_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_GPS_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/data/dataset.h"
#include "model/train/data/gps_pairs.h"
#include "model/train/data/sampler.h"
#include "model/train/data/sampler_config.h"

namespace sightline::train {

// The batches of an epoch, in order: a function of the arguments alone. Each query about as often as its weight says;
// one for which no batch had room is left out of the pass, and so are those that do not fill the last batch.
absl::StatusOr<std::vector<BatchPlan>> PlanGpsEpoch(const Dataset& dataset, const GpsPairs& pairs,
                                                    const SamplerConfig& config, uint64_t seed, int64_t epoch);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_GPS_SAMPLER_H_
