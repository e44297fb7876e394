// ScanQuery: a query for exact search over int8 codes, and what bounds the true scores of the rows it is compared with.
//
// A scan waits for memory, so arithmetic costs it nothing: the query is held in two planes of int8, q_i ~ scale *
// (high_i
// + low_i / 254), which leaves the rows' own rounding as the only error that matters. For a row x and its code x'
//
//   |<q,x> - <q',x'>| <= |q| |x - x'| + |q - q'| |x'|,   |x'| <= 127 sqrt(dim) scale_x
//
// and the rounding of this and of a score made in single precision (inner_product.h) is added. Rows need not be
// normalised.
//
// Threading: pure functions and values. Failure: none; where a bound is not a number, nothing is known: callers take
// NaN for "may be anything".
//
//   const kernels::ScanQuery query(layout, q.data());
//   const kernels::ScanQuery* queries[] = {&query};
//   kernels::ScanBounds(queries, 1, rows, count, upper.data(), lower.data(), count);
//   size_t n = kernels::NotBelow(upper.data(), count, bar, at.data());  // at[0..n): those that may reach the bar
#ifndef SIGHTLINE_INDEX_KERNELS_SCAN_QUERY_H_
#define SIGHTLINE_INDEX_KERNELS_SCAN_QUERY_H_

#include <cstddef>
#include <cstdint>

#include "index/kernels/aligned.h"
#include "index/kernels/int8_code.h"

namespace sightline::index::kernels {

class ScanQuery {
 public:
  ScanQuery(const CodeLayout& layout, const float* values);

  const CodeLayout& layout() const { return layout_; }
  const int8_t* high() const { return planes_.data(); }                  // stride values, zeros from dim on
  const int8_t* low() const { return planes_.data() + layout_.stride; }  // the same
  float high_scale() const { return high_scale_; }
  float low_scale() const { return high_scale_ / 254; }
  int32_t high_correction() const { return high_correction_; }  // 128 * sum of the plane, as in Int8Query
  int32_t low_correction() const { return low_correction_; }
  // A row's score is off by at most error_weight * trailer.error + scale_weight * trailer.scale.
  float error_weight() const { return error_weight_; }
  float scale_weight() const { return scale_weight_; }

 private:
  CodeLayout layout_;
  AlignedVector<int8_t> planes_;
  float high_scale_ = 0;
  int32_t high_correction_ = 0;
  int32_t low_correction_ = 0;
  float error_weight_ = 0;
  float scale_weight_ = 0;
};

// What <q, x_r> is at most and at least, for the `count` rows that begin at `rows` and each of some queries of one
// layout, which share the reading of the rows: upper[q * out_stride + r] and lower[q * out_stride + r].
void ScanBounds(const ScanQuery* const* queries, size_t num_queries, const uint8_t* rows, size_t count, float* upper,
                float* lower, size_t out_stride);

// The same for one query and rows anywhere.
void ScanBoundsAt(const ScanQuery& query, const uint8_t* const* rows, size_t count, float* upper, float* lower);

// The places, in order, of the values that are not below `bar`: those that reach it and NaN. `at` has room for `count`.
// Where none is, as nearly always in a scan, this costs no branch per value.
size_t NotBelow(const float* values, size_t count, float bar, uint32_t* at);

}  // namespace sightline::index::kernels

#endif  // SIGHTLINE_INDEX_KERNELS_SCAN_QUERY_H_
