// The multi-similarity loss (Wang et al. 2019) with its mining.
//
//   loss = mean over images i of  1/alpha log(1 + sum over P_i of exp(-alpha (S_ij - lambda)))
//                               + 1/beta  log(1 + sum over N_i of exp( beta  (S_ij - lambda)))
//
// S is the cosine. N_i are the negatives more similar than the least similar positive less epsilon, P_i the positives
// less similar than the most similar negative plus epsilon; an image without positives or negatives has neither, and
// counts as 0.
//
// Threading, ownership, failure: as Loss.
#ifndef SIGHTLINE_MODEL_TRAIN_LOSS_MULTI_SIMILARITY_H_
#define SIGHTLINE_MODEL_TRAIN_LOSS_MULTI_SIMILARITY_H_

#include "model/train/loss/loss.h"

namespace sightline::train {

class MultiSimilarity : public Loss {
 public:
  explicit MultiSimilarity(const LossConfig& config) : config_(config) {}
  torch::Tensor Forward(const torch::Tensor& outputs, const torch::Tensor& labels) override;

 private:
  const LossConfig config_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_LOSS_MULTI_SIMILARITY_H_
