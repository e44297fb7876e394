#include "model/train/study/study.h"

#include <torch/torch.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <numeric>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status.h"
#include "model/train/run/initialise.h"
#include "model/train/run/metrics_log.h"
#include "model/train/run/photo_embedder.h"
#include "model/train/run/validation.h"
#include "model/train/study/held_out.h"

namespace sightline::train {
namespace {

constexpr int64_t kMostRowText = 4 << 20;
constexpr int kMeasureBatch = 16;

std::string RowFolder(const std::string& out, size_t row) { return absl::StrFormat("%s/row_%02d", out, row + 1); }

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// The row must be what it was when its folder was begun.
absl::Status CheckSameRow(const StudyConfig& study, const std::string& out, size_t row) {
  const std::string path = RowFolder(out, row) + "/row.json";
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMostRowText));
  if (text == study.rows[row].text) return absl::OkStatus();
  return OfRow(row, study.rows[row].name,
               base::FailedPrecondition(
                   "STUDY_DIFFERS",
                   absl::StrCat(path,
                                " says that this row was begun with another architecture, training or measure. "
                                "Give the study as it was, with the same --steps, or another --out."),
                   {{"path", path}}));
}

// Seconds of training as metrics.csv has them, so that a row in several parts counts as one in one piece.
absl::StatusOr<double> TrainingSeconds(const std::string& folder, int batch) {
  SIGHTLINE_ASSIGN_OR_RETURN(const auto rows, ReadMetrics(folder + "/metrics.csv"));
  double seconds = 0;
  double before = 0;
  for (const auto& row : rows) {
    const auto step = row.find("step");
    const auto rate = row.find("images_per_second");
    if (step == row.end() || rate == row.end() || !(rate->second > 0)) continue;
    seconds += (step->second - before) * batch / rate->second;
    before = step->second;
  }
  return seconds;
}

absl::StatusOr<RevisitedScores> MeasureHeldOut(const HeldOutSet& set, const model::ModelConfig& config,
                                               const std::vector<model::NamedTensor>& values) {
  const c10::InferenceMode inference_mode;
  PhotoEmbedder embedder(config, kMeasureBatch);
  embedder.Take(values);
  SIGHTLINE_ASSIGN_OR_RETURN(const torch::Tensor queries, embedder.Embed(set.queries));
  SIGHTLINE_ASSIGN_OR_RETURN(const torch::Tensor database, embedder.Embed(set.database));
  const torch::Tensor similarities = torch::matmul(queries, database.t()).contiguous();
  return ScoreRevisited({similarities.data_ptr<float>(), static_cast<size_t>(similarities.numel())}, set.verdicts);
}

class Study {
 public:
  Study(const StudyConfig& study, const StudyOptions& options) : study_(study), options_(options) {}

  absl::StatusOr<StudyOutcome> Execute() {
    SIGHTLINE_RETURN_IF_ERROR(Begin());
    std::vector<size_t> rows = options_.rows;
    if (rows.empty()) {
      rows.resize(study_.rows.size());
      std::iota(rows.begin(), rows.end(), size_t{0});
    }
    for (const size_t row : rows) {
      if (outcome_.results[row].has_value()) {
        ++outcome_.kept;
        continue;
      }
      const std::string& name = study_.rows[row].name;
      absl::PrintF("row %d of %d: %s\n", row + 1, study_.rows.size(), name);
      std::fflush(stdout);
      const absl::Status status = RunRow(row);
      if (!status.ok()) return OfRow(row, name, status);
      if (outcome_.interrupted) break;
      ++outcome_.run;
      SIGHTLINE_RETURN_IF_ERROR(WriteResults());
    }
    return outcome_;
  }

 private:
  absl::Status Begin() {
    if (!study_.held_out.empty()) {
      SIGHTLINE_ASSIGN_OR_RETURN(held_out_, ReadHeldOut(study_.held_out));
    }
    SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(options_.out));
    SIGHTLINE_ASSIGN_OR_RETURN(lock_, base::FileLock::Acquire(options_.out + "/lock"));
    outcome_.table = options_.out + "/study.md";
    if (!options_.train.resume && Exists(options_.out + "/study.json")) {
      return base::FailedPrecondition("RUN_EXISTS",
                                      absl::StrCat("folder ", options_.out,
                                                   " holds a study. Pass --resume to go on with it, or choose another "
                                                   "folder."),
                                      {{"path", options_.out}});
    }
    SIGHTLINE_ASSIGN_OR_RETURN(outcome_.results, ReadStudyResults(study_, options_.out));
    return WriteResults();
  }

  absl::Status WriteResults() const {
    SIGHTLINE_RETURN_IF_ERROR(
        base::WriteFileDurably(options_.out + "/study.json", StudyJson(study_, outcome_.results)));
    return base::WriteFileDurably(outcome_.table, StudyMarkdown(study_, outcome_.results));
  }

  absl::Status RunRow(size_t row) {
    const std::string folder = RowFolder(options_.out, row);
    SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(folder));
    if (Exists(folder + "/row.json")) SIGHTLINE_RETURN_IF_ERROR(CheckSameRow(study_, options_.out, row));
    const StudyRow& plan = study_.rows[row];
    SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(folder + "/row.json", plan.text));
    SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(folder + "/model.json", plan.model_json));
    TrainConfig config = plan.train;
    config.model = folder + "/model.json";
    config.out = folder;
    // The model that is written is measured below; on the way to it only these two look at a validation.
    if (config.early_stop == 0 && !config.keep_best) config.validation.reset();
    SIGHTLINE_ASSIGN_OR_RETURN(const TrainOutcome trained, Train(config, options_.train));
    outcome_.interrupted = trained.interrupted;
    if (trained.interrupted) return absl::OkStatus();
    RowResult result{.steps = trained.step,
                     .images = trained.step * config.sampler.batch,
                     .embedding_space = trained.embedding_space};
    SIGHTLINE_ASSIGN_OR_RETURN(result.seconds, TrainingSeconds(folder, config.sampler.batch));
    SIGHTLINE_RETURN_IF_ERROR(Measure(plan, trained.model, result));
    outcome_.results[row] = std::move(result);
    return absl::OkStatus();
  }

  absl::Status Measure(const StudyRow& plan, const std::string& folder, RowResult& result) const {
    SIGHTLINE_ASSIGN_OR_RETURN(const FinishedNetwork finished, ReadNetwork(folder));
    const std::vector<model::NamedTensor> values = model::InferenceTensors(*finished.network);
    if (plan.train.validation.has_value()) {
      SIGHTLINE_ASSIGN_OR_RETURN(const auto validator, Validator::Open(*plan.train.validation, finished.config));
      SIGHTLINE_ASSIGN_OR_RETURN(const ValidationScores scores, validator->Run(values));
      result.validation = ValidationResult{
          .map = scores.mean_average_precision, .recall_at_1 = scores.recall_at_1, .queries = scores.queries};
    }
    if (!study_.held_out.empty()) {
      SIGHTLINE_ASSIGN_OR_RETURN(result.held_out, MeasureHeldOut(held_out_, finished.config, values));
    }
    return absl::OkStatus();
  }

  const StudyConfig& study_;
  const StudyOptions& options_;
  HeldOutSet held_out_;  // empty without one
  std::unique_ptr<base::FileLock> lock_;
  StudyOutcome outcome_;
};

}  // namespace

absl::StatusOr<StudyResults> ReadStudyResults(const StudyConfig& study, const std::string& out) {
  const std::string path = out + "/study.json";
  StudyResults results;
  if (Exists(path)) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMostRowText));
    SIGHTLINE_ASSIGN_OR_RETURN(results, ParseResults(text, path));
  }
  for (size_t row = 0; row < results.size(); ++row) {
    if (!results[row].has_value()) continue;
    if (row >= study.rows.size()) {
      return base::FailedPrecondition(
          "STUDY_DIFFERS",
          absl::StrCat(path, " has a result for row ", row + 1, " and the study has ", study.rows.size(),
                       " rows. Give the study as it was, or another --out."),
          {{"path", path}});
    }
    SIGHTLINE_RETURN_IF_ERROR(CheckSameRow(study, out, row));
  }
  results.resize(study.rows.size());
  return results;
}

absl::StatusOr<StudyOutcome> RunStudy(const StudyConfig& study, const StudyOptions& options) {
  try {
    return Study(study, options).Execute();
  } catch (const std::exception& error) {
    const absl::string_view said = error.what();
    return base::Error(absl::StatusCode::kInternal, "STUDY_FAILED",
                       absl::StrCat("measuring failed inside LibTorch: ", said.substr(0, said.find('\n')),
                                    ". Report this with the study; --resume goes on with the row."));
  }
}

}  // namespace sightline::train
