#include "model/train/run/validation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "model/image/geometry.h"
#include "model/image/resize.h"
#include "model/inference.h"
#include "model/layers/layer.h"
#include "model/preprocess/planes.h"
#include "model/preprocess/sizes.h"

namespace sightline::train {
namespace {

constexpr double kPlaceMetres = 25;  // METHODS 6.5

// Great-circle distance by the haversine formula, on a sphere of the earth's mean radius.
double MetresBetween(const Position& a, const Position& b) {
  constexpr double kEarthRadius = 6'371'008.8;
  constexpr double kRadians = std::numbers::pi / 180;
  const double up = std::sin((b.latitude - a.latitude) * kRadians / 2);
  const double along = std::sin((b.longitude - a.longitude) * kRadians / 2);
  const double h = up * up + std::cos(a.latitude * kRadians) * std::cos(b.latitude * kRadians) * along * along;
  return 2 * kEarthRadius * std::asin(std::sqrt(std::min(1.0, h)));
}

bool IsRight(const Photo& query, const Photo& photo) {
  if (query.position.has_value() && photo.position.has_value()) {
    return MetresBetween(*query.position, *photo.position) <= kPlaceMetres;
  }
  return query.label == photo.label;
}

absl::StatusOr<model::PreparedImage> PreparePhoto(const model::PreprocessConfig& config, const Photo& photo) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(photo.path, image::Limits().max_encoded_bytes));
  SIGHTLINE_ASSIGN_OR_RETURN(const image::Header header, image::ReadHeader(bytes, {}));
  // A crop is a part of the image, which has to be decoded larger than the whole would be; full size is always enough.
  const bool turned = header.orientation >= 5;
  const int side = photo.box.has_value() ? 0
                   : turned              ? model::WantedSide(config, header.height, header.width)
                                         : model::WantedSide(config, header.width, header.height);
  SIGHTLINE_ASSIGN_OR_RETURN(const image::Image image, image::Decode(bytes, {}, {.wanted_side = side}));
  SIGHTLINE_ASSIGN_OR_RETURN(const image::PixelRect region,
                             image::ResolveCrop(photo.box.value_or(image::CropBox{}), image.width, image.height,
                                                image.original_width, image.original_height));
  const std::vector<model::PlaneSize> sizes = model::PlaneSizes(config, region.width, region.height);
  model::PreparedImage prepared;
  prepared.bucket = model::BucketName(sizes);
  for (const model::PlaneSize& size : sizes) {
    const image::Image resized = model::ResizePlane(config, image, region, size);
    prepared.planes.push_back({size.height, size.width, image::ToChw(resized, config.mean, config.std)});
  }
  return prepared;
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
    : config_(config),
      model_(model),
      dataset_(std::move(dataset)),
      network_(std::make_shared<model::Network>(model_.backbone, model_.head)),
      projection_(torch::zeros({model::Facts(model_.backbone).dim, model_.tokens.dim})) {
  for (torch::Tensor& parameter : network_->parameters()) parameter.set_requires_grad(false);
}

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

absl::Status Validator::EmbedBatch(std::vector<int64_t>& photos, std::vector<model::PreparedImage>& images,
                                   const torch::Tensor& descriptors) {
  std::vector<const model::PreparedImage*> batch;
  for (const model::PreparedImage& image : images) batch.push_back(&image);
  const std::vector<model::Embedding> embeddings =
      model::RunInference(*network_, projection_, model_.tokens, model_, batch);
  for (size_t i = 0; i < photos.size(); ++i) {
    const auto& values = embeddings[i].descriptor;
    std::copy(values.begin(), values.end(), descriptors[photos[i]].data_ptr<float>());
  }
  photos.clear();
  images.clear();
  return absl::OkStatus();
}

// (photos, N); a photograph that cannot be read keeps zeros, which are like nothing.
absl::StatusOr<torch::Tensor> Validator::Embed() {
  struct Bucket {
    std::vector<int64_t> photos;
    std::vector<model::PreparedImage> images;
  };
  std::map<std::string, Bucket> buckets;
  const torch::Tensor descriptors =
      torch::zeros({static_cast<int64_t>(dataset_.photos.size()), model_.descriptor_dim()});
  int64_t unreadable = 0;
  absl::Status first;
  for (size_t i = 0; i < dataset_.photos.size(); ++i) {
    absl::StatusOr<model::PreparedImage> prepared = PreparePhoto(model_.preprocess, dataset_.photos[i]);
    if (!prepared.ok()) {
      if (unreadable++ == 0) first = prepared.status();
      continue;
    }
    Bucket& bucket = buckets[prepared->bucket];
    bucket.photos.push_back(static_cast<int64_t>(i));
    bucket.images.push_back(*std::move(prepared));
    if (bucket.photos.size() == static_cast<size_t>(config_.batch)) {
      SIGHTLINE_RETURN_IF_ERROR(EmbedBatch(bucket.photos, bucket.images, descriptors));
    }
  }
  for (auto& [name, bucket] : buckets) {
    if (!bucket.photos.empty()) SIGHTLINE_RETURN_IF_ERROR(EmbedBatch(bucket.photos, bucket.images, descriptors));
  }
  if (unreadable == static_cast<int64_t>(dataset_.photos.size())) return first;
  if (unreadable > 0) {
    base::Log(base::Severity::kWarning, "photographs of the validation data cannot be read and count as not found",
              {{"photographs", absl::StrCat(unreadable)}, {"first", std::string(first.message())}});
  }
  return descriptors;
}

absl::StatusOr<ValidationScores> Validator::Run(const std::vector<model::NamedTensor>& values) {
  const c10::InferenceMode inference_mode;
  const std::vector<model::NamedTensor> own = model::InferenceTensors(*network_);
  for (size_t i = 0; i < own.size(); ++i) torch::Tensor(own[i].tensor).copy_(values[i].tensor);
  model::PlanInference(*network_);
  SIGHTLINE_ASSIGN_OR_RETURN(const torch::Tensor descriptors, Embed());
  const torch::Tensor queries = descriptors.index_select(0, torch::tensor(queries_));
  const torch::Tensor database = descriptors.index_select(0, torch::tensor(database_));
  return ScoreRankings(torch::matmul(queries, database.t()), same_);
}

}  // namespace sightline::train
