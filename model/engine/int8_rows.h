// Rows of floats to bytes and back: what stands before and behind an integer matrix product.
//
// A row x becomes codes c = round(x / scale) + zero in 0..255, with scale and zero from the row's own smallest and
// largest value and 0 among the values that are exact. A product with weights w = weight_scale * q then is
//
//   x w = scale * weight_scale * (sum c q - zero * sum q)
//
// Threading: pure functions. Failure: none; a row that holds a NaN or an infinity becomes a row of NaN.
#ifndef SIGHTLINE_MODEL_ENGINE_INT8_ROWS_H_
#define SIGHTLINE_MODEL_ENGINE_INT8_ROWS_H_

#include <cstddef>
#include <cstdint>

#include "model/engine/activation.h"

namespace sightline::model::engine {

struct RowCode {
  float scale = 1;
  int32_t zero = 0;
};

// lo = min(0, x), hi = max(0, x): scale = (hi - lo) / 255, zero = round(-lo / scale), codes round half to even. A row
// whose range is below 1e-30 counts as zeros.
RowCode QuantiseRow(const float* x, size_t count, uint8_t* codes);

// The codes of one input of a convolution, all of one scale: round(x / scale) in 0..255, or in -127..127, stored as
// two's complement, when `is_signed`. Values beyond are cut off; NaN becomes 0.
void QuantiseValues(const float* x, size_t count, float scale, bool is_signed, uint8_t* codes);

// What belongs to the columns of the weights: scale and sum of the codes of each, and a bias, null for none.
struct ColumnCodes {
  const float* scales = nullptr;
  const int32_t* sums = nullptr;
  const float* bias = nullptr;
};

// y[n] = activation((products[n] - row.zero * sums[n]) * (row.scale * scales[n]) + bias[n]), plus y[n] before the
// activation if `add`. GELU is within 1e-6 max(1, |x|) of the exact one.
void RestoreRow(const int32_t* products, size_t count, const RowCode& row, const ColumnCodes& columns,
                Activation activation, bool add, float* y);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_INT8_ROWS_H_
