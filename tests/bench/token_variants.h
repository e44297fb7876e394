// The same pictures with other tokens: projected from those the backbone gives, in float32.
//
// Threading: pure functions. Ownership: values. Failure: Status of the fit.
//
//   const std::vector<float> projection = model::OrthonormalProjection(192, 64, 1);
//   const std::vector<Picture> smaller = WithTokens(whole, projection, 64);
#ifndef SIGHTLINE_TESTS_BENCH_TOKEN_VARIANTS_H_
#define SIGHTLINE_TESTS_BENCH_TOKEN_VARIANTS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tests/bench/labelled_pictures.h"

namespace sightline::bench {

// `pictures` of a model loaded with whole_tokens (D values a patch), `projection` (D, dim), row-major. Tokens and
// centres are L2-normalised again.
std::vector<Picture> WithTokens(const std::vector<Picture>& pictures, absl::Span<const float> projection, int dim);

// The projection to `dim` values that `sightline-train tokens` fits, here to all tokens of `pictures`.
absl::StatusOr<std::vector<float>> FitProjection(const std::vector<Picture>& pictures, int dim);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_TOKEN_VARIANTS_H_
