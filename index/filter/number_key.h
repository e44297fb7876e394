// Numbers as unsigned keys in the same order, and what a bound means among whole numbers and among doubles, exactly:
// 2^53 + 1 is greater than the double 2^53, which a comparison in double precision denies.
//
// Threading: pure functions. Failure: none. A NaN has no place in an order: callers keep it out.
//
//   NumberRange range = WholeNumbers(CompareOp::kLess, FilterValue(2.5));  // up to NumberKey(int64_t{2})
#ifndef SIGHTLINE_INDEX_FILTER_NUMBER_KEY_H_
#define SIGHTLINE_INDEX_FILTER_NUMBER_KEY_H_

#include <cstdint>

#include "index/filter/filter.h"

namespace sightline::index {

uint64_t NumberKey(int64_t value);
uint64_t NumberKey(double value);  // -0 and 0 are one number
int64_t WholeNumberOf(uint64_t key);
double DoubleOf(uint64_t key);

// Keys from `least` to `most`, both included; none when least > most.
struct NumberRange {
  uint64_t least = 1;
  uint64_t most = 0;
};

// The whole numbers, and the doubles, that compare with `bound` as `op` says (not kNotEqual). `bound` is an int64_t or
// a double; with a NaN nothing compares.
NumberRange WholeNumbers(CompareOp op, const FilterValue& bound);
NumberRange Doubles(CompareOp op, const FilterValue& bound);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_FILTER_NUMBER_KEY_H_
