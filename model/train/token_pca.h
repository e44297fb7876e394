// The subspace in which patch tokens keep their cosines best: uncentred PCA.
//
// The principal axes of the second moment of unit tokens, with no mean taken off: among all subspaces of their
// dimension they keep the most of the tokens' length, and so of their inner products. A projection is a matrix alone
// and could not take off a mean, and the tokens' mean direction is a part of their cosines.
//
// Threading: a TokenMoments belongs to one thread at a time; the functions are pure; LibTorch's threads inside.
// Failure: INVALID_ARGUMENT with reason TOKENS_DIM where the tokens do not fill the dimensions asked for; LibTorch's
// exceptions do not get out of Fit.
//
//   TokenMoments moments(384);
//   moments.Add(tokens);
//   auto basis = moments.Fit(128);
#ifndef SIGHTLINE_MODEL_TRAIN_TOKEN_PCA_H_
#define SIGHTLINE_MODEL_TRAIN_TOKEN_PCA_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace sightline::train {

struct TokenBasis {
  int64_t in = 0;             // D
  int64_t out = 0;            // Ct
  std::vector<float> matrix;  // (D, Ct), row-major, orthonormal columns, the one of most energy first
  double kept_energy = 0;     // how much of the tokens' squared length is in the subspace, 0 to 1
};

class TokenMoments {
 public:
  explicit TokenMoments(int64_t dim);

  // Unit tokens (n, dim), row-major.
  void Add(absl::Span<const float> tokens);

  int64_t dim() const { return dim_; }
  int64_t count() const { return count_; }
  absl::StatusOr<TokenBasis> Fit(int64_t out) const;

 private:
  const int64_t dim_;
  int64_t count_ = 0;
  std::vector<double> sum_;  // of t t^T: (dim, dim)
};

// How the cosines between tokens before and after a projection agree, over all pairs of different tokens.
struct CosineAgreement {
  double mean_difference = 0;  // of |after - before|
  double correlation = 0;
};

// `tokens` (n, in) of unit length, at least two; `projection` (in, out), after which they are L2-normalised.
CosineAgreement CompareCosines(absl::Span<const float> tokens, absl::Span<const float> projection, int64_t in,
                               int64_t out);

// a (rows, inner) b (inner, columns), all row-major.
std::vector<float> Product(absl::Span<const float> a, absl::Span<const float> b, int64_t rows, int64_t inner,
                           int64_t columns);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_TOKEN_PCA_H_
