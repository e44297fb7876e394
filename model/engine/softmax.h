// The softmax of one row, without its division, and its gradient.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_MODEL_ENGINE_SOFTMAX_H_
#define SIGHTLINE_MODEL_ENGINE_SOFTMAX_H_

#include <cstddef>

namespace sightline::model::engine {

// row[i] = exp(row[i] - max of row); returns their sum, at least 1. `count` is at least 1. The exponential has a
// relative error below 3e-7 for arguments above -87; below, it is at most 1.7e-38.
float ExpOfRow(float* row, size_t count);

// The gradient of a softmax's input from that of its output: gradient[i] = p[i] (gradient[i] - sum of gradient * p).
void SoftmaxGradientOfRow(const float* p, size_t count, float* gradient);

// values[i] *= factor
void Scale(float* values, size_t count, float factor);

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_SOFTMAX_H_
