// Weights as bytes, one scale for each output, and whether this machine multiplies bytes fast and exactly.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_MODEL_ENGINE_INT8_WEIGHTS_H_
#define SIGHTLINE_MODEL_ENGINE_INT8_WEIGHTS_H_

#include <cstdint>
#include <vector>

namespace sightline::model::engine {

// Whether the machine has AVX-512 VNNI. Without it oneDNN adds pairs of products in 16 bits, which saturate.
bool HasInt8();

// w = scales[n] * codes[n * in + k], codes in -127..127 with the largest of each output at +-127. An output without a
// value but zero has scale 0.
struct Int8Weights {
  Int8Weights(const float* weight, int64_t out, int64_t in);

  std::vector<int8_t> codes;  // (out, in)
  std::vector<float> scales;  // (out)
  std::vector<int32_t> sums;  // (out): of the codes of each
};

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_INT8_WEIGHTS_H_
