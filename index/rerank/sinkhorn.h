// Entropic optimal transport between two weighted sets of patches: the plain version, in double precision.
//
// Rows are the result's patches (gallery), columns the query's. With similarities S (rows x columns) and weights u, v:
//
//   K = exp(-(1 - S) / epsilon)      r = 1, c = 1
//   repeat   r = u / (K c)   c = v / (K^T r)   until the stop rule holds
//   T = diag(r) K diag(c)            S_struct = sum of T * S
//
// Partial transport of mass p < kFullMass adds one row and one column to K of the constant 1 - p with corner 0, and
// gives each of them the weight 1 - p; T is then the block without them, and at convergence carries p where u and v sum
// to 1. S_struct grows with p: do not compare across different p. Sources: METHODS.md 3.3 and 3.4 ("Beyond the CLS
// token", BMVC 2022), with its known answers.
//
// A patch without weight takes no part: c starts at 0 where v is 0, except with kReference, where it starts at 1 as in
// the reference code.
//
// What is met. A round ends with c, so after any number of rounds the columns carry v to rounding; in partial transport
// those of the block and the dummy row together. The rows come to carry u. kMarginalError stops when what they carry is
// near enough, in total variation of the rows after the column update, those of the dummies included:
//
//   1/2 * sum over i of |r_i (K c)_i - u_i| / sum of u  <=  tolerance
//
// The weights of METHODS.md 3.2 sum to a little less than 1, and not to the same on both sides: A for u, B for v. No
// plan meets both then. The columns still carry v, and the rows come to carry u * B / A, which is what kMarginalError
// compares them with (in partial transport both sums with their dummy's). Neither r nor c converges, but for their
// product; kReference, which looks at r alone, is left with that drift. The block of a partial plan comes to carry
// B - (1 - p) * (B + 1 - p) / (A + 1 - p); where that is below 0, for sums far from 1, there is no such plan, and
// `converged` stays false.
//
// Two equal images score 1 in the limit of a small epsilon, p in partial transport: T comes to diag(u), the plan of the
// greatest S_struct. At convergence 1 - S_struct <= epsilon * log(R) for R patches whose weights sum to 1 (the plan is
// better than diag(u) by its entropy alone, which is at most log(R) more). Exactly 1, to rounding, with any epsilon:
// one patch, and patches that are all the same.
//
// Scalings are doubles. Where they might leave their range (an entry of K below e^-300, which the least epsilon brings
// about at cosines below 0.7; sums of weights far from 1), the rounds are done on logarithms, with the same result to
// rounding.
//
// What the fast version in transport.h is tested against. Threading: pure functions. Failure: INVALID_ARGUMENT with a
// reason, for options out of range, sizes that do not fit, an empty grid, similarities that are no cosines (above 1.001
// or not finite), and weights that are negative or not finite.
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
  bool converged = false;   // whether the stop rule held by then; never with kFixed, unless there is nothing to do
  bool logarithms = false;  // whether the rounds were done on them
};

// `options.marginals` and the numbers of cells are not looked at: u and v are the weights. Weights that sum to 0 on a
// side transport nothing: a plan of zeros. kReference stops by this pair alone.
absl::StatusOr<Plan> Sinkhorn(const Similarities& similarities, absl::Span<const double> u, absl::Span<const double> v,
                              const TransportOptions& options);

// The same for several pairs, so that kReference can stop them together, as the reference code does: by the mean over
// all rows of all pairs, dummies included. Pairs that transport nothing do not count.
absl::StatusOr<std::vector<Plan>> SinkhornTogether(absl::Span<const Similarities> similarities,
                                                   absl::Span<const std::vector<double>> u,
                                                   absl::Span<const std::vector<double>> v,
                                                   const TransportOptions& options);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_SINKHORN_H_
