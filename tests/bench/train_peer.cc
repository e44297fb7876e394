#include "tests/bench/train_peer.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace sightline::bench {

absl::StatusOr<std::unique_ptr<TrainingPeer>> TrainingPeer::Start(int threads) {
  auto process = PythonPeer::Start(SIGHTLINE_TRAIN_REFERENCE, threads);
  if (!process.ok()) return process.status();
  std::unique_ptr<TrainingPeer> peer(new TrainingPeer(*std::move(process)));
  const nlohmann::json& hello = peer->process_->hello();
  peer->name_ = absl::StrCat("PyTorch ", hello.value("torch", ""), " eager, ", hello.value("capability", ""));
  return peer;
}

absl::StatusOr<std::vector<float>> TrainingPeer::Load(const Task& task) {
  const train::TrainConfig& config = *task.config;
  std::vector<std::string> photos;
  std::vector<int64_t> labels;
  for (const train::Photo& photo : task.dataset->photos) {
    photos.push_back(photo.path);
    labels.push_back(photo.label);
  }
  const absl::StatusOr<nlohmann::json> answer =
      process_->Ask({{"load", task.model},
                     {"images", task.images},
                     {"shape", task.shape},
                     {"photos", photos},
                     {"labels", labels},
                     {"classes", task.dataset->classes.size()},
                     {"batch", config.sampler.batch},
                     {"batches", config.sampler.batches},
                     {"side", config.sampler.sizes.front().width},
                     {"workers", task.workers},
                     {"augment", config.augment.ToJson()},
                     {"loss", {{"margin", config.loss.margin}, {"scale", config.loss.scale}}},
                     {"optimiser", {{"lr", config.optimiser.lr}, {"weight_decay", config.optimiser.weight_decay}}},
                     {"clip", config.clip}});
  if (!answer.ok()) return answer.status();
  return answer->value("descriptors", std::vector<float>());
}

absl::StatusOr<double> TrainingPeer::Run(const std::string& part) {
  const absl::StatusOr<nlohmann::json> answer = process_->Ask({{"run", part}});
  if (!answer.ok()) return answer.status();
  const double seconds = answer->value("seconds", 0.0);
  if (seconds <= 0 || !std::isfinite(answer->value("loss", NAN))) {
    return absl::InternalError("the peer did not train: it gave no time or a loss that is not finite.");
  }
  return seconds;
}

}  // namespace sightline::bench
