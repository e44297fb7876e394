// What losses over the pairs of a batch share: unit descriptors in full precision, their distances, and which pairs are
// of one class.
//
// Threading: pure functions. Failure: exceptions of LibTorch.
//
//   const FullPrecision full_precision;
//   const torch::Tensor d2 = SquaredDistances(UnitRows(outputs));
#ifndef SIGHTLINE_MODEL_TRAIN_LOSS_PAIRS_H_
#define SIGHTLINE_MODEL_TRAIN_LOSS_PAIRS_H_

#include <torch/torch.h>

namespace sightline::train {

// Added to squared distances under a root (METHODS 3.7), which has no gradient at 0.
inline constexpr double kDistanceEpsilon = 1e-8;

// Keeps mixed precision out of a scope: half-precision cosines are too coarse for what losses make of them (a scale of
// 30, an exponent of 50).
class FullPrecision {
 public:
  FullPrecision() : guard_(c10::autocast_dispatch_keyset) {}

 private:
  const c10::impl::ExcludeDispatchKeyGuard guard_;
};

// As float32; float64 stays.
torch::Tensor AtLeastFloat(const torch::Tensor& values);

// x / max(|x|, 1e-6) of every row of (..., N); float32, float64 stays. The bound is where the gradient stops growing
// when an output vanishes.
torch::Tensor UnitRows(const torch::Tensor& rows);

// |x_i - x_j|^2, not negative: (B, B) of (B, N).
torch::Tensor SquaredDistances(const torch::Tensor& rows);

// sqrt(d^2 + kDistanceEpsilon).
torch::Tensor Distances(const torch::Tensor& squared);

// Which pairs (i, j), i != j, share a label, and which do not: bool (B, B).
torch::Tensor SameClass(const torch::Tensor& labels);
torch::Tensor OtherClass(const torch::Tensor& labels);

// A zero with a gradient of zeros, for a batch that offers nothing to count.
torch::Tensor ZeroLoss(const torch::Tensor& outputs);

// sum / count, 0 where the count is: the mean over what counts, without asking the device for the count.
torch::Tensor MeanOver(const torch::Tensor& sum, const torch::Tensor& count);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_LOSS_PAIRS_H_
