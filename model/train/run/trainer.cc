#include "model/train/run/trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status.h"
#include "model/train/run/architecture_file.h"
#include "model/train/run/checkpoint.h"
#include "model/train/run/curves.h"
#include "model/train/run/feed.h"
#include "model/train/run/initialise.h"
#include "model/train/run/learner.h"
#include "model/train/run/metrics_log.h"
#include "model/train/run/progress.h"
#include "model/train/run/trained_model.h"
#include "model/train/run/validation.h"

namespace sightline::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kLogEvery = 10;  // steps
constexpr char kBest[] = "best.safetensors";

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Run {
 public:
  Run(const TrainConfig& config, const TrainOptions& options)
      : config_(config), options_(options), device_(options.cuda ? torch::kCUDA : torch::kCPU) {}

  absl::StatusOr<TrainOutcome> Execute() {
    SIGHTLINE_RETURN_IF_ERROR(Prepare());
    SIGHTLINE_RETURN_IF_ERROR(Begin());
    if (position_.step == 0 && validator_ != nullptr) SIGHTLINE_RETURN_IF_ERROR(Validate());
    while (position_.step < outcome_.steps && !IsStale()) {
      if (options_.wants_to_stop && options_.wants_to_stop()) return Interrupt();
      SIGHTLINE_RETURN_IF_ERROR(Step());
    }
    outcome_.stopped_early = position_.step < outcome_.steps;
    return Finish();
  }

 private:
  absl::Status Prepare() {
    if (config_.out.empty()) {
      return base::InvalidArgument("SETTING_MISSING",
                                   "no folder to write is given. Name it with --out DIR or \"out\".");
    }
    if (options_.cuda && !torch::cuda::is_available()) {
      return base::FailedPrecondition(
          "NO_GPU",
          "LibTorch finds no GPU to train on. Use --device cpu, or a LibTorch built with CUDA on a machine "
          "that has one.");
    }
    if (config_.amp && !options_.cuda) {
      return base::InvalidArgument("INVALID_CONFIG",
                                   "amp is true and the device is cpu. Take amp out or train with --device cuda.");
    }
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const int threads = options_.threads > 0 ? options_.threads : cores;
    at::set_num_threads(threads);
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadArchitecture(config_.model, options_.zoo));
    SIGHTLINE_ASSIGN_OR_RETURN(start_, Initialise(text, config_.init, config_.seed));
    std::fputs(start_.table.c_str(), stdout);
    SIGHTLINE_ASSIGN_OR_RETURN(feed_, Feed::Open(config_, threads));
    outcome_.steps = config_.steps > 0 ? config_.steps : config_.epochs * feed_->first_epoch_batches();
    const auto classes = static_cast<int64_t>(feed_->dataset().classes.size());
    SIGHTLINE_ASSIGN_OR_RETURN(learner_, Learner::Build(config_, start_, classes, device_));
    if (config_.validation.has_value()) {
      SIGHTLINE_ASSIGN_OR_RETURN(validator_, Validator::Open(*config_.validation, start_.config));
    }
    return absl::OkStatus();
  }

  // The folder, and where the run is: at its beginning or at a checkpoint.
  absl::Status Begin() {
    SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(config_.out));
    SIGHTLINE_ASSIGN_OR_RETURN(lock_, base::FileLock::Acquire(Path("lock")));
    position_.config_sha256 = config_.text_sha256;
    if (options_.resume) {
      SIGHTLINE_ASSIGN_OR_RETURN(const auto restored,
                                 RestoreCheckpoint(config_.out, config_.text_sha256, learner_->State()));
      if (restored.has_value()) position_ = *restored;
      // In front of the first step nothing is decided yet: what was measured there is measured again. Without the file
      // of the best values, as where keep_best is new, the best is looked for from here on.
      std::error_code error;
      if (position_.step == 0 || (config_.keep_best && !std::filesystem::exists(Path(kBest), error))) ForgetBest();
      learner_->SetStep(position_.step);
    } else {
      SIGHTLINE_ASSIGN_OR_RETURN(const bool there, HasCheckpoint(config_.out));
      if (there) {
        return base::FailedPrecondition(
            "RUN_EXISTS",
            absl::StrCat("folder ", config_.out,
                         " holds checkpoints of a run. Pass --resume to go on with it, or choose another "
                         "folder."),
            {{"path", config_.out}});
      }
    }
    SIGHTLINE_RETURN_IF_ERROR(feed_->Seek(position_.feed));
    SIGHTLINE_ASSIGN_OR_RETURN(log_, MetricsLog::Open(Path("metrics.csv"), learner_->parts(), position_.step));
    progress_ = std::make_unique<Progress>(outcome_.steps);
    progress_->Say(absl::StrFormat("%s: %d photographs of %d things, %s %d of %d", start_.config.name,
                                   feed_->dataset().photos.size(), feed_->dataset().classes.size(),
                                   position_.step > 0 ? "going on behind step" : "step", position_.step,
                                   outcome_.steps));
    return absl::OkStatus();
  }

  absl::Status Step() {
    const Clock::time_point start = Clock::now();
    SIGHTLINE_ASSIGN_OR_RETURN(const LoadedBatch batch, feed_->Next());
    const StepPlace place{.step = position_.step, .steps = outcome_.steps, .epoch = feed_->position().epoch};
    const StepResult result = learner_->Step(batch, place);
    if (!result.finite) return NotFinite(result);
    ++position_.step;
    position_.feed = feed_->position();
    const auto images = static_cast<int64_t>(batch.labels.size());
    const double seconds = SecondsSince(start);
    progress_->Step(position_.step, result.loss, images, seconds);
    SIGHTLINE_RETURN_IF_ERROR(Log(result, images, seconds));
    const bool last = position_.step == outcome_.steps;
    if (validator_ != nullptr && (last || position_.step % config_.validate_every == 0)) {
      SIGHTLINE_RETURN_IF_ERROR(Validate());
    }
    if (last || IsStale() || position_.step % config_.checkpoint_every == 0) return Save();
    return absl::OkStatus();
  }

  // A row of the means over the last steps.
  absl::Status Log(const StepResult& result, int64_t images, double seconds) {
    ++window_.steps;
    window_.images += images;
    window_.seconds += seconds;
    window_.loss += result.loss;
    window_.parts.resize(result.parts.size());
    for (size_t i = 0; i < result.parts.size(); ++i) window_.parts[i] += result.parts[i];
    if (position_.step % kLogEvery != 0 && position_.step != outcome_.steps) return absl::OkStatus();
    const auto steps = static_cast<double>(window_.steps);
    std::map<std::string, double> row = {{"step", static_cast<double>(position_.step)},
                                         {"epoch", static_cast<double>(position_.feed.epoch)},
                                         {"loss", window_.loss / steps},
                                         {"learning_rate", result.rate},
                                         {"gradient_norm", result.gradient_norm},
                                         {"images_per_second", static_cast<double>(window_.images) / window_.seconds}};
    for (size_t i = 0; i < window_.parts.size(); ++i) row[learner_->parts()[i]] = window_.parts[i] / steps;
    window_ = {};
    return log_->Write(row);
  }

  absl::Status Validate() {
    SIGHTLINE_ASSIGN_OR_RETURN(const ValidationScores scores, validator_->Run(learner_->values()));
    const double map = scores.mean_average_precision;
    progress_->Say(absl::StrFormat("step %d: mAP %.4f, R@1 %.4f over %d queries", position_.step, map,
                                   scores.recall_at_1, scores.queries));
    if (!outcome_.first_map.has_value()) outcome_.first_map = map;
    outcome_.map = map;
    outcome_.recall_at_1 = scores.recall_at_1;
    ++position_.stale;
    if (map > position_.best_map) {
      position_.best_map = map;
      position_.best_step = position_.step;
      position_.stale = 0;
      if (config_.keep_best) {
        SIGHTLINE_RETURN_IF_ERROR(WriteTensorFile(Path(kBest), learner_->values(), {}));
      } else {
        // Of an earlier part of the run that did keep it, and no longer the best.
        std::error_code error;
        std::filesystem::remove(Path(kBest), error);
      }
    }
    return log_->Write({{"step", static_cast<double>(position_.step)},
                        {"epoch", static_cast<double>(position_.feed.epoch)},
                        {"map", map},
                        {"recall_at_1", scores.recall_at_1}});
  }

  void ForgetBest() {
    const RunPosition fresh;
    position_.best_map = fresh.best_map;
    position_.best_step = fresh.best_step;
    position_.stale = fresh.stale;
  }

  bool IsStale() const { return config_.early_stop > 0 && position_.stale >= config_.early_stop; }

  // The checkpoint first: curves that cannot be drawn cost the run no steps.
  absl::Status Save() {
    SIGHTLINE_RETURN_IF_ERROR(SaveCheckpoint(config_.out, position_, learner_->State()));
    saved_ = position_.step;
    return DrawCurves(config_.out);
  }

  absl::StatusOr<TrainOutcome> Interrupt() {
    if (saved_ != position_.step) SIGHTLINE_RETURN_IF_ERROR(Save());
    outcome_.interrupted = true;
    outcome_.step = position_.step;
    return outcome_;
  }

  absl::Status NotFinite(const StepResult& result) const {
    return base::Error(
        absl::StatusCode::kAborted, "LOSS_NOT_FINITE",
        absl::StrFormat("at step %d the loss is %g and the norm of its gradient %g; training ends here, with the last "
                        "checkpoint in %s as it was. Lower optimiser.lr, set clip, or lengthen the warm-up, and train "
                        "again.",
                        position_.step + 1, result.loss, result.gradient_norm, config_.out),
        {{"step", absl::StrCat(position_.step + 1)}});
  }

  absl::StatusOr<TrainOutcome> Finish() {
    outcome_.step = position_.step;
    outcome_.best_map = position_.best_map;
    outcome_.best_step = position_.best_step;
    model::TrainingRecord record{
        .data = config_.note.empty() ? std::filesystem::path(config_.data.root).lexically_normal().filename().string()
                                     : config_.note,
        .photographs = static_cast<int64_t>(feed_->dataset().photos.size()),
        .classes = static_cast<int64_t>(feed_->dataset().classes.size()),
        .steps = position_.step,
        .init = config_.init.has_value() ? std::filesystem::path(config_.init->checkpoint).filename().string() : "",
        .teacher = learner_->teacher_name(),
        .seed = static_cast<int64_t>(config_.seed),
        .config_sha256 = config_.text_sha256};
    // No validation behind the checkpoint that keep_best was first set at: the last values are all there are.
    if (config_.keep_best && position_.best_step >= 0) {
      SIGHTLINE_RETURN_IF_ERROR(ReadTensorFile(Path(kBest), learner_->values()));
      record.steps = position_.best_step;
    }
    outcome_.model = Path("model");
    SIGHTLINE_ASSIGN_OR_RETURN(
        const model::ModelInfo info,
        WriteTrainedModel(start_, record, learner_->values(), {.out = outcome_.model, .half = options_.half}));
    outcome_.embedding_space = info.embedding_space;
    return outcome_;
  }

  std::string Path(const char* name) const { return absl::StrCat(config_.out, "/", name); }

  struct Window {
    int64_t steps = 0;
    int64_t images = 0;
    double seconds = 0;
    double loss = 0;
    std::vector<double> parts;
  };

  const TrainConfig config_;
  const TrainOptions options_;
  const torch::Device device_;
  StartingPoint start_;
  std::unique_ptr<Feed> feed_;
  std::unique_ptr<Learner> learner_;
  std::unique_ptr<Validator> validator_;  // null without validation
  std::unique_ptr<base::FileLock> lock_;
  std::unique_ptr<MetricsLog> log_;
  std::unique_ptr<Progress> progress_;
  RunPosition position_;
  int64_t saved_ = -1;  // step of the checkpoint written last
  Window window_;
  TrainOutcome outcome_;
};

}  // namespace

absl::StatusOr<TrainOutcome> Train(const TrainConfig& config, const TrainOptions& options) {
  try {
    return Run(config, options).Execute();
  } catch (const std::exception& error) {
    const absl::string_view said = error.what();
    return base::Error(absl::StatusCode::kInternal, "TRAINING_FAILED",
                       absl::StrCat("training failed inside LibTorch: ", said.substr(0, said.find('\n')),
                                    ". Report this with the configuration; a smaller batch needs less memory."));
  }
}

}  // namespace sightline::train
