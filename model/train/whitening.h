// Fits the whitening that follows a head: v = P (x - m), then L2 (METHODS 4.5).
//
// Threading: pure functions; LibTorch's threads inside. Ownership: descriptors are viewed, results are values.
// Failure: INVALID_ARGUMENT with reason WHITENING_* where the descriptors do not carry what is asked of them;
// LibTorch's exceptions do not get out.
//
//   auto whitening = FitPcaWhitening({.count = n, .dim = 2048, .bytes = bytes}, 512);
#ifndef SIGHTLINE_MODEL_TRAIN_WHITENING_H_
#define SIGHTLINE_MODEL_TRAIN_WHITENING_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sightline::train {

// Row-major float32 values, `count` rows of `dim`. They may lie unaligned, as in a mapped file.
struct Descriptors {
  int64_t count = 0;
  int64_t dim = 0;
  absl::string_view bytes;
};

struct WhiteningFit {
  int64_t in = 0;                      // N
  int64_t out = 0;                     // d
  std::vector<float> mean = {};        // m (N)
  std::vector<float> projection = {};  // P (d, N), row-major; the direction of the largest variance first
  // How much of the variance the kept directions hold, from 0 to 1. Of the data for PCA; for the learned one of the
  // data after the differences of matching pairs are made white.
  double kept_variance = 0;
};

// m the mean, P = diag(lambda^-1/2) E^T with the `out` largest eigenvalues lambda of the covariance and their vectors
// E. WHITENING_DIM when fewer than `out` directions have variance, as with fewer images than `out` + 1.
absl::StatusOr<WhiteningFit> FitPcaWhitening(const Descriptors& descriptors, int64_t out);

// Rows of descriptors that show the same thing.
using Pair = std::pair<int64_t, int64_t>;

// Learned from matching pairs (q, p): m the mean of the q, S the covariance of their differences q - p; P first makes S
// the identity (the inverse of its lower Cholesky factor), then turns to the principal axes of all descriptors. A
// singular S gets 1e-10 on its diagonal, ten times more at every further try.
absl::StatusOr<WhiteningFit> FitLearnedWhitening(const Descriptors& descriptors, absl::Span<const Pair> pairs,
                                                 int64_t out);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_WHITENING_H_
