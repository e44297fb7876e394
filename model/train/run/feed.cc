#include "model/train/run/feed.h"

#include <optional>
#include <utility>

#include "base/status.h"
#include "model/train/data/gps_sampler.h"
#include "model/train/data/sampler.h"

namespace sightline::train {

Feed::Feed(const TrainConfig& config, Dataset dataset, int threads)
    : sampler_(config.sampler),
      augment_(config.augment),
      seed_(config.seed),
      threads_(threads),
      dataset_(std::move(dataset)) {}

absl::StatusOr<std::unique_ptr<Feed>> Feed::Open(const TrainConfig& config, int threads) {
  SIGHTLINE_ASSIGN_OR_RETURN(Dataset dataset, ReadDataset(config.data));
  // make_unique cannot reach the constructor.
  std::unique_ptr<Feed> feed(new Feed(config, std::move(dataset), threads));
  if (!config.sampler.edges.empty()) feed->aspects_ = AspectRatios(feed->dataset_, threads);
  if (config.sampler.negatives > 0) {
    SIGHTLINE_ASSIGN_OR_RETURN(feed->pairs_,
                               FindGpsPairs(feed->dataset_, config.data.positive_metres, config.data.negative_metres));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<BatchPlan> plan, feed->Plan(0));
  feed->first_epoch_batches_ = static_cast<int64_t>(plan.size());
  return feed;
}

absl::StatusOr<std::vector<BatchPlan>> Feed::Plan(int64_t epoch) const {
  if (sampler_.negatives > 0) return PlanGpsEpoch(dataset_, pairs_, sampler_, seed_, epoch);
  return PlanEpoch(dataset_, aspects_, sampler_, seed_, epoch);
}

absl::Status Feed::Seek(const FeedPosition& position) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::vector<BatchPlan> plan, Plan(position.epoch));
  loader_ = std::make_unique<Loader>(dataset_, std::move(plan),
                                     LoaderOptions{.augment = augment_,
                                                   .seed = seed_,
                                                   .epoch = position.epoch,
                                                   .first_batch = position.batch,
                                                   .threads = threads_});
  position_ = position;
  return absl::OkStatus();
}

absl::StatusOr<LoadedBatch> Feed::Next() {
  // The plan of an epoch has a batch at least, so the second round finds one.
  for (int round = 0; round < 2; ++round) {
    SIGHTLINE_ASSIGN_OR_RETURN(std::optional<LoadedBatch> batch, loader_->Next());
    if (batch.has_value()) {
      ++position_.batch;
      return *std::move(batch);
    }
    SIGHTLINE_RETURN_IF_ERROR(Seek({.epoch = position_.epoch + 1}));
  }
  return base::FailedPrecondition("EPOCH_EMPTY", "an epoch has no batches. Give more photographs or a smaller batch.");
}

}  // namespace sightline::train
