// Inner products of queries with many rows, in single precision.
//
// The fast versions are compiled for every SIMD level and pick the machine's best one at run time. A row's result
// depends on the query and on the row alone, never on its place among the rows nor on other queries, so equal rows get
// equal scores. Rows that lie in order are read at the speed of memory.
//
// Threading: pure functions. Failure: none; NaN and Inf propagate as in the sum itself.
//
//   std::vector<float> scores(count);
//   kernels::InnerProducts(query.data(), rows, dim, stride, count, scores.data());
#ifndef SIGHTLINE_INDEX_KERNELS_INNER_PRODUCT_H_
#define SIGHTLINE_INDEX_KERNELS_INNER_PRODUCT_H_

#include <cstddef>
#include <cstdint>

namespace sightline::index::kernels {

// out[r] = sum over i < dim of query[i] * rows[r * stride + i], for r < count. `stride` (in floats) is at least `dim`.
void InnerProducts(const float* query, const float* rows, size_t dim, size_t stride, size_t count, float* out);

// The same for several queries, which share the reading of the rows: out[q * out_stride + r] for q < num_queries.
void InnerProductsBlock(const float* const* queries, size_t num_queries, const float* rows, size_t dim, size_t stride,
                        size_t count, float* out, size_t out_stride);

// The same as InnerProducts for rows in half precision (float16.h); `stride` is in halves.
void InnerProductsHalf(const float* query, const uint16_t* rows, size_t dim, size_t stride, size_t count, float* out);

// The definition, summed in double precision; what the fast version is tested against.
double InnerProductReference(const float* a, const float* b, size_t dim);

// The SIMD level in use: "AVX3_DL" (AVX-512 with VNNI), "AVX3", "AVX2", "NEON", "SCALAR", ...
const char* LevelName();

}  // namespace sightline::index::kernels

#endif  // SIGHTLINE_INDEX_KERNELS_INNER_PRODUCT_H_
