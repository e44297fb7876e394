// Loader: decodes, augments and stacks the batches of an epoch on threads of its own, ahead of the training thread.
//
// What a batch holds depends on the seed, the epoch and its number in the epoch alone, not on threads: training that
// goes on from a checkpoint sees the batches it would have seen.
//
// Threading: Next from one thread. Ownership: the loader copies the plan and keeps a reference to the dataset. Failure:
// a photograph that cannot be read is replaced by the next readable one of the batch, counted and named once; a batch
// without any readable photograph is an error.
//
//   Loader loader(dataset, plan, {.seed = 1, .epoch = 3, .threads = 2});
//   while (auto batch = loader.Next()) ...
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_LOADER_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_LOADER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "model/config/model_config.h"
#include "model/train/data/augment_config.h"
#include "model/train/data/dataset.h"
#include "model/train/data/sampler.h"

namespace sightline::train {

struct LoadedBatch {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> rgb;     // (B, height, width, 3), row-major: channels last, not normalised yet
  std::vector<int64_t> labels;  // B
  int64_t unreadable = 0;       // photographs that were replaced
};

struct LoaderOptions {
  AugmentConfig augment = {};
  uint64_t seed = 1;
  int64_t epoch = 0;
  int64_t first_batch = 0;  // of the plan: where a resumed epoch goes on
  int threads = 1;
  int ahead = 4;  // batches that wait
};

class Loader {
 public:
  Loader(const Dataset& dataset, std::vector<BatchPlan> plan, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next batch of the plan; nullopt behind the last.
  absl::StatusOr<std::optional<LoadedBatch>> Next();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_LOADER_H_
