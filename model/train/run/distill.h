// What a student loses by not being its teacher.
//
//   tokens, layers   metric over token sequences (B, T, D), mean over layers
//   descriptor       metric over L2-normalised descriptors (B, N)
//   similarity       metric over cosines between the photographs of a batch, each pair once per order, not with itself
//   distances        metric over d_ij / mean d (RKD-D, Park et al. 2019), d between normalised descriptors
//   angles           metric over the cosines of the angles at j of all triplets i, j, k (RKD-A)
//
// In a batch of one photograph there are no pairs: the loss is 0. Angles are a mean over all B^3 triplets, of
// which those with two equal members add nothing.
//
// metric: smooth_l1 (beta 1) and mse are means over values, cosine is the mean of 1 - cos over vectors.
//
// All of it is computed in float32 at least, under autocast, too: bfloat16 knows no cosine between 0.996 and 1.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT of CheckShapes; LibTorch's exceptions elsewhere.
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_DISTILL_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_DISTILL_H_

#include <torch/torch.h>

#include <cstdint>

#include "absl/status/status.h"
#include "model/train/run/forward.h"
#include "model/train/run/teacher.h"
#include "model/train/run/train_config.h"

namespace sightline::train {

// Token sequences that the targets compare; 0 where none does.
int64_t LayersWanted(const DistillConfig& config);

// Whether what the targets compare has equal shapes; both answers are to the same photographs.
absl::Status CheckShapes(const DistillConfig& config, const ForwardResult& student, const TeacherAnswer& teacher);

// A scalar, not weighted yet.
torch::Tensor DistillLoss(const DistillTarget& target, const ForwardResult& student, const TeacherAnswer& teacher);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_DISTILL_H_
