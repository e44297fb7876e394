// Inner products of one query with many rows, in single precision.
//
// The fast version is compiled for every SIMD level and picks the machine's best one at run time. A row's result
// depends on the query and on the row alone, never on its place among the rows, so equal rows get equal scores.
//
// Threading: pure functions. Failure: none; NaN and Inf propagate as in the sum itself.
//
//   std::vector<float> scores(count);
//   kernels::InnerProducts(query.data(), rows, dim, stride, count, scores.data());
#ifndef SIGHTLINE_INDEX_KERNELS_INNER_PRODUCT_H_
#define SIGHTLINE_INDEX_KERNELS_INNER_PRODUCT_H_

#include <cstddef>

namespace sightline::index::kernels {

// out[r] = sum over i < dim of query[i] * rows[r * stride + i], for r < count. `stride` (in floats) is at least `dim`.
void InnerProducts(const float* query, const float* rows, size_t dim, size_t stride, size_t count, float* out);

// The definition, summed in double precision; what the fast version is tested against.
double InnerProductReference(const float* a, const float* b, size_t dim);

// The SIMD level in use: "AVX3", "AVX2", "NEON", "SCALAR", ...
const char* LevelName();

}  // namespace sightline::index::kernels

#endif  // SIGHTLINE_INDEX_KERNELS_INNER_PRODUCT_H_
