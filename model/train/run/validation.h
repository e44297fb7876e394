// Validation: how well a network finds photographs, measured on its way of inference: sizes, buckets, scales and mean
// of its model.json, planned layers.
//
//   mAP    the mean of base::AveragePrecision over queries that have something to find
//   R@1    the share of them whose nearest photograph is right
//
// A photograph is right for a query of its label; where both have a place on earth (MSLS), within 25 m of it.
//
// Threading: one thread at a time. Ownership: its embedder owns a network. Failure: Status for data without a query
// that has anything to find, or photographs of which none can be read; LibTorch's exceptions.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const auto validator, Validator::Open(*config.validation, model_config));
//   SIGHTLINE_ASSIGN_OR_RETURN(const ValidationScores scores, validator->Run(values));
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_VALIDATION_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_VALIDATION_H_

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/config/model_config.h"
#include "model/train/data/dataset.h"
#include "model/train/run/photo_embedder.h"
#include "model/train/run/train_config.h"
#include "model/weights/load.h"

namespace sightline::train {

struct ValidationScores {
  double mean_average_precision = 0;
  double recall_at_1 = 0;
  int64_t queries = 0;
};

// `similarities` (Q, D) of queries to database photographs; -1 in `same` where query and photograph are one and the
// photograph is left out, 1 where it is right, 0 otherwise.
ValidationScores ScoreRankings(const torch::Tensor& similarities, const std::vector<std::vector<int8_t>>& same);

class Validator {
 public:
  static absl::StatusOr<std::unique_ptr<Validator>> Open(const ValidationConfig& config,
                                                         const model::ModelConfig& model);

  // `values` are a network's, by the names of InferenceTensors.
  absl::StatusOr<ValidationScores> Run(const std::vector<model::NamedTensor>& values);

 private:
  Validator(const ValidationConfig& config, const model::ModelConfig& model, Dataset dataset);
  absl::Status Judge();

  const ValidationConfig config_;
  const Dataset dataset_;
  std::vector<int64_t> queries_;  // indices of photographs
  std::vector<int64_t> database_;
  std::vector<std::vector<int8_t>> same_;
  PhotoEmbedder embedder_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_VALIDATION_H_
