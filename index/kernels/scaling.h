// The rounds of entropic transport in float32 (METHODS.md 3.3 and 3.4): K from cosines, scalings r and c of its rows
// and columns, and the score at the end, without the plan r K c ever being written.
//
// A round reads K once: while a few of its rows are in the first-level cache, their products with c, their new
// scalings, and what they add to the sums of the columns are all computed. The dummy row and column of partial
// transport are never written either: all their entries are the one constant `dummy`, with 0 in the corner.
//
// Threading: pure functions over the caller's memory. Failure: none here; float32 has a range, and RoundResult has what
// tells the caller that it was left (see Reliable).
//
//   kernels::ExpOfCosines(cosines, rows * stride, 0.05, matrix);
//   do {
//     const kernels::RoundResult round = kernels::ScaleRows(problem, before, &after);   // r = u / (K c), K^T r
//     kernels::ScaleColumns(problem, &after);                                           // c = v / (K^T r)
//     std::swap(before, after);
//   } while (...);
#ifndef SIGHTLINE_INDEX_KERNELS_SCALING_H_
#define SIGHTLINE_INDEX_KERNELS_SCALING_H_

#include <cstddef>

namespace sightline::index::kernels {

inline constexpr size_t kRowPadding = 4;

// K and the weights. Rows are padded to a multiple of 4 and columns to `stride`, a multiple of 16: there K is finite
// and positive, and u and v are 0.
struct ScalingProblem {
  const float* matrix = nullptr;  // rows x stride
  const float* u = nullptr;       // rows; at least 0
  const float* v = nullptr;       // stride
  size_t rows = 0;
  size_t stride = 0;
  float dummy = 0;  // the entries of the dummies; 0 without
  float dummy_u = 0, dummy_v = 0;
};

// All aligned to 64 bytes.
struct Scalings {
  float* r = nullptr;  // rows
  float* c = nullptr;  // stride; 0 in the padding
  float dummy_r = 1;
  float dummy_c = 1;
};

struct RoundResult {
  double row_error = 0;     // sum over rows of |sum of the row of the plan - u|, of the scalings before the round
  double change = 0;        // sum over rows of |r - r before|
  double sum_r = 0;         // of the new r
  double sum_c = 0;         // of the c before
  float least_product = 0;  // of a row of positive weight with c
};

// What an entry of K is at least: smaller ones are made as large as this, or nearly so.
inline constexpr double kLeastKernel = 0x1p-123;

// matrix[i] = exp((cosines[i] - 1) / epsilon), relative error below 1e-6.
void ExpOfCosines(const float* cosines, size_t count, double epsilon, float* matrix);

// after->r = u / (K c), and after->c = K^T r, which ScaleColumns makes the new c.
RoundResult ScaleRows(const ScalingProblem& problem, const Scalings& before, Scalings* after);

// after->c = v / after->c. Returns the least entry of K^T r whose column has a weight.
float ScaleColumns(const ScalingProblem& problem, Scalings* after);

struct ScalingScore {
  double structural = 0;  // sum of the plan times the cosines
  double mass = 0;        // sum of the plan, dummies left out
  double row_error = 0;   // as in RoundResult
};
ScalingScore ScorePlan(const ScalingProblem& problem, const Scalings& scalings, const float* cosines);

}  // namespace sightline::index::kernels

#endif  // SIGHTLINE_INDEX_KERNELS_SCALING_H_
