// Entropic optimal transport between two weighted sets of patches: the plain version, in double precision.
//
// Rows are the result's patches (gallery), columns the query's. With similarities S (rows x columns) and weights u, v:
//
//   K = exp(-(1 - S) / epsilon)      r = 1, c = 1
//   repeat   r = u / (K c)   c = v / (K^T r)   until the stop rule holds
//   T = diag(r) K diag(c)            S_struct = sum of T * S
//
// Partial transport of mass p < 1 adds one row and one column to K of the constant 1 - p with corner 0, and gives each
// of them the weight 1 - p; T is then the block without them. Sources: METHODS.md 3.3 and 3.4 ("Beyond the CLS token",
// BMVC 2022), with its known answers.
//
// Where K underflows (a row or column with weight and no entry above the smallest double), the rounds are done on
// logarithms, with the same result to rounding.
//
// What the fast version in transport.h is tested against. Threading: pure functions. Failure: INVALID_ARGUMENT with a
// reason, for sizes that do not fit, and similarities or weights that are not finite (weights: or negative).
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const Plan plan, Sinkhorn({s, rows, columns}, u, v, options));
#ifndef SIGHTLINE_INDEX_RERANK_SINKHORN_H_
#define SIGHTLINE_INDEX_RERANK_SINKHORN_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/rerank/transport_options.h"

namespace sightline::index::rerank {

// Row-major cosines.
struct Similarities {
  absl::Span<const double> values;  // rows * columns
  size_t rows = 0;
  size_t columns = 0;
};

struct Plan {
  std::vector<double> transport;  // T, rows * columns, row-major; at least 0
  double structural = 0;          // sum of T * S
  double mass = 0;                // sum of T
  int rounds = 0;
  bool converged = false;  // whether the stop rule held before max_rounds
  bool logarithms = false;
};

// `options.marginals` and the numbers of cells are not looked at: u and v are the weights. Weights that sum to 0 on a
// side transport nothing: a plan of zeros. kReference stops by this pair alone.
absl::StatusOr<Plan> Sinkhorn(const Similarities& similarities, absl::Span<const double> u, absl::Span<const double> v,
                              const TransportOptions& options);

// The same for several pairs, so that kReference can stop them together, as the reference code does.
absl::StatusOr<std::vector<Plan>> SinkhornTogether(absl::Span<const Similarities> similarities,
                                                   absl::Span<const std::vector<double>> u,
                                                   absl::Span<const std::vector<double>> v,
                                                   const TransportOptions& options);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_SINKHORN_H_
