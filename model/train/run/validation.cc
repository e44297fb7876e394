#include "model/train/run/validation.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "model/train/data/gps_pairs.h"

namespace sightline::train {
namespace {

constexpr double kPlaceMetres = 25;  // METHODS 6.5

bool IsRight(const Photo& query, const Photo& photo) {
  if (query.position.has_value() && photo.position.has_value()) {
    return Metres(*query.position, *photo.position) <= kPlaceMetres;
  }
  return query.label == photo.label;
}

}  // namespace

ValidationScores ScoreRankings(const torch::Tensor& similarities, const std::vector<std::vector<int8_t>>& same) {
  ValidationScores scores;
  const torch::Tensor values = similarities.to(torch::kCPU, torch::kFloat).contiguous();
  const auto width = static_cast<size_t>(values.size(1));
  std::vector<int64_t> order(width);
  for (size_t q = 0; q < same.size(); ++q) {
    const float* const row = values.data_ptr<float>() + q * width;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [row](int64_t a, int64_t b) { return row[a] > row[b]; });
    std::vector<int64_t> ranks;
    int64_t position = 0;
    for (const int64_t photo : order) {
      const int8_t verdict = same[q][static_cast<size_t>(photo)];
      if (verdict < 0) continue;
      if (verdict > 0) ranks.push_back(position);
      ++position;
    }
    if (ranks.empty()) continue;
    ++scores.queries;
    scores.mean_average_precision += base::AveragePrecision(ranks, static_cast<int64_t>(ranks.size()));
    scores.recall_at_1 += base::RecallAt(ranks, 1);
  }
  if (scores.queries == 0) return scores;
  scores.mean_average_precision /= static_cast<double>(scores.queries);
  scores.recall_at_1 /= static_cast<double>(scores.queries);
  return scores;
}

Validator::Validator(const ValidationConfig& config, const model::ModelConfig& model, Dataset dataset)
    : config_(config), dataset_(std::move(dataset)), embedder_(model, config.batch) {}

absl::StatusOr<std::unique_ptr<Validator>> Validator::Open(const ValidationConfig& config,
                                                           const model::ModelConfig& model) {
  SIGHTLINE_ASSIGN_OR_RETURN(Dataset dataset, ReadDataset(config.data));
  // make_unique cannot reach the constructor.
  std::unique_ptr<Validator> validator(new Validator(config, model, std::move(dataset)));
  SIGHTLINE_RETURN_IF_ERROR(validator->Judge());
  return validator;
}

absl::Status Validator::Judge() {
  const bool split = config_.protocol == ValidationProtocol::kSplit;
  const auto count = static_cast<int64_t>(dataset_.photos.size());
  for (int64_t i = 0; i < count; ++i) {
    const bool query = dataset_.photos[static_cast<size_t>(i)].query;
    if (!split || query) queries_.push_back(i);
    if (!split || !query) database_.push_back(i);
  }
  bool any = false;
  for (const int64_t q : queries_) {
    std::vector<int8_t> row;
    for (const int64_t d : database_) {
      const bool right = IsRight(dataset_.photos[static_cast<size_t>(q)], dataset_.photos[static_cast<size_t>(d)]);
      row.push_back(static_cast<int8_t>(q == d ? -1 : right ? 1 : 0));
      any |= row.back() == 1;
    }
    same_.push_back(std::move(row));
  }
  if (any) return absl::OkStatus();
  return base::InvalidArgument(
      "VALIDATION_EMPTY",
      absl::StrCat("no query of the validation data has anything to find: ", queries_.size(), " queries, ",
                   database_.size(),
                   " photographs to search. Give photographs of the same things on both sides, or set "
                   "validation.protocol to ",
                   split ? "leave_one_out" : "split", "."));
}

absl::StatusOr<ValidationScores> Validator::Run(const std::vector<model::NamedTensor>& values) {
  const c10::InferenceMode inference_mode;
  embedder_.Take(values);
  SIGHTLINE_ASSIGN_OR_RETURN(const torch::Tensor descriptors, embedder_.Embed(dataset_.photos));
  const torch::Tensor queries = descriptors.index_select(0, torch::tensor(queries_));
  const torch::Tensor database = descriptors.index_select(0, torch::tensor(database_));
  return ScoreRankings(torch::matmul(queries, database.t()), same_);
}

}  // namespace sightline::train
