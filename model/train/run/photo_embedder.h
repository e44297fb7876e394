// PhotoEmbedder: descriptors of photographs in files, on a network's way of inference: sizes, buckets, scales and mean
// of its model.json, planned layers. What validation and held-out sets are measured with.
//
// Threading: one thread at a time. Ownership: a network of its own. Failure: Status where no photograph can be read;
// one that cannot is logged and counts as like nothing; LibTorch's exceptions.
//
//   PhotoEmbedder embedder(model_config, /*batch=*/16);
//   embedder.Take(values);
//   SIGHTLINE_ASSIGN_OR_RETURN(const torch::Tensor descriptors, embedder.Embed(photos));
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_PHOTO_EMBEDDER_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_PHOTO_EMBEDDER_H_

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/config/model_config.h"
#include "model/model.h"
#include "model/registry.h"
#include "model/train/data/dataset.h"
#include "model/weights/load.h"

namespace sightline::train {

class PhotoEmbedder {
 public:
  // `batch` photographs of one bucket at a time.
  PhotoEmbedder(const model::ModelConfig& model, int batch);

  // `values` are a network's, by the names of InferenceTensors.
  void Take(const std::vector<model::NamedTensor>& values);

  // (photos, N), L2-normalised, cropped to their boxes; zeros for a photograph that cannot be read.
  absl::StatusOr<torch::Tensor> Embed(absl::Span<const Photo> photos);

 private:
  void EmbedBatch(std::vector<int64_t>& photos, std::vector<model::PreparedImage>& images,
                  const torch::Tensor& descriptors);

  const model::ModelConfig model_;
  const size_t batch_;
  const std::shared_ptr<model::Network> network_;
  const torch::Tensor projection_;  // of tokens, which nobody looks at
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_PHOTO_EMBEDDER_H_
