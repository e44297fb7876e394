#include "model/train/run/photo_embedder.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "model/image/geometry.h"
#include "model/image/resize.h"
#include "model/inference.h"
#include "model/layers/layer.h"
#include "model/preprocess/planes.h"
#include "model/preprocess/sizes.h"
#include "model/train/data/photo_file.h"

namespace sightline::train {
namespace {

absl::StatusOr<model::PreparedImage> PreparePhoto(const model::PreprocessConfig& config, const Photo& photo) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(photo.path, image::Limits().max_encoded_bytes));
  SIGHTLINE_ASSIGN_OR_RETURN(const image::Header header, image::ReadHeader(bytes, {}));
  // A crop is a part of the image, which has to be decoded larger than the whole would be; full size is always enough.
  const UprightSize upright = Upright(header);
  const int side = photo.box.has_value() ? 0 : model::WantedSide(config, upright.width, upright.height);
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

PhotoEmbedder::PhotoEmbedder(const model::ModelConfig& model, int batch)
    : model_(model),
      batch_(static_cast<size_t>(std::max(1, batch))),
      network_(std::make_shared<model::Network>(model_.backbone, model_.head, model_.whitening)),
      projection_(torch::zeros({model::Facts(model_.backbone).dim, model_.tokens.dim})) {
  for (torch::Tensor& parameter : network_->parameters()) parameter.set_requires_grad(false);
}

void PhotoEmbedder::Take(const std::vector<model::NamedTensor>& values) {
  const c10::InferenceMode inference_mode;
  const std::vector<model::NamedTensor> own = model::InferenceTensors(*network_);
  for (size_t i = 0; i < own.size(); ++i) torch::Tensor(own[i].tensor).copy_(values[i].tensor);
  model::PlanInference(*network_);
}

void PhotoEmbedder::EmbedBatch(std::vector<int64_t>& photos, std::vector<model::PreparedImage>& images,
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
}

absl::StatusOr<torch::Tensor> PhotoEmbedder::Embed(absl::Span<const Photo> photos) {
  const c10::InferenceMode inference_mode;
  struct Bucket {
    std::vector<int64_t> photos;
    std::vector<model::PreparedImage> images;
  };
  std::map<std::string, Bucket> buckets;
  const torch::Tensor descriptors = torch::zeros({static_cast<int64_t>(photos.size()), model_.descriptor_dim()});
  size_t unreadable = 0;
  absl::Status first;
  for (size_t i = 0; i < photos.size(); ++i) {
    absl::StatusOr<model::PreparedImage> prepared = PreparePhoto(model_.preprocess, photos[i]);
    if (!prepared.ok()) {
      if (unreadable++ == 0) first = prepared.status();
      continue;
    }
    Bucket& bucket = buckets[prepared->bucket];
    bucket.photos.push_back(static_cast<int64_t>(i));
    bucket.images.push_back(*std::move(prepared));
    if (bucket.photos.size() == batch_) EmbedBatch(bucket.photos, bucket.images, descriptors);
  }
  for (auto& [name, bucket] : buckets) {
    if (!bucket.photos.empty()) EmbedBatch(bucket.photos, bucket.images, descriptors);
  }
  if (unreadable > 0 && unreadable == photos.size()) return first;
  if (unreadable > 0) {
    base::Log(base::Severity::kWarning, "photographs to measure with cannot be read and count as like nothing",
              {{"photographs", absl::StrCat(unreadable)}, {"first", std::string(first.message())}});
  }
  return descriptors;
}

}  // namespace sightline::train
