// Feed: the batches of a training run, epoch after epoch.
//
// Threading: one thread at a time; the loader behind it has threads of its own. Ownership: the dataset. Failure: what
// sampler and loader say.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const auto feed, Feed::Open(config, /*threads=*/2));
//   SIGHTLINE_RETURN_IF_ERROR(feed->Seek({.epoch = 3, .batch = 17}));
//   SIGHTLINE_ASSIGN_OR_RETURN(const LoadedBatch batch, feed->Next());
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_FEED_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_FEED_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/data/dataset.h"
#include "model/train/data/gps_pairs.h"
#include "model/train/data/loader.h"
#include "model/train/run/train_config.h"

namespace sightline::train {

// Of the batch that comes next.
struct FeedPosition {
  int64_t epoch = 0;
  int64_t batch = 0;
};

class Feed {
 public:
  static absl::StatusOr<std::unique_ptr<Feed>> Open(const TrainConfig& config, int threads);

  // Once in front of the first Next, and wherever else the run goes on.
  absl::Status Seek(const FeedPosition& position);
  // Begins the next epoch where the last one is through.
  absl::StatusOr<LoadedBatch> Next();

  const FeedPosition& position() const { return position_; }
  const Dataset& dataset() const { return dataset_; }
  int64_t first_epoch_batches() const { return first_epoch_batches_; }

 private:
  Feed(const TrainConfig& config, Dataset dataset, int threads);
  absl::StatusOr<std::vector<BatchPlan>> Plan(int64_t epoch) const;

  const SamplerConfig sampler_;
  const AugmentConfig augment_;
  const uint64_t seed_;
  const int threads_;
  const Dataset dataset_;
  std::vector<double> aspects_;
  GpsPairs pairs_;  // with sampler.negatives
  int64_t first_epoch_batches_ = 0;
  FeedPosition position_;
  std::unique_ptr<Loader> loader_;  // refers to dataset_
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_FEED_H_
