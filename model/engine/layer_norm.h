// Layer normalisation of rows, one reading and one writing of each.
//
// Threading: one thread at a time; rows are spread over that thread's OpenMP threads. Failure: none.
#ifndef SIGHTLINE_MODEL_ENGINE_LAYER_NORM_H_
#define SIGHTLINE_MODEL_ENGINE_LAYER_NORM_H_

#include <cstdint>

namespace sightline::model::engine {

// y = (x - mean) / sqrt(var + epsilon) * weight + bias for each of `rows` rows of `dim` values, biased variance. x and
// y may be the same.
void LayerNorm(const float* x, int64_t rows, int64_t dim, const float* weight, const float* bias, float epsilon,
               float* y);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_LAYER_NORM_H_
