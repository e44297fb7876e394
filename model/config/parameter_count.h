// How many learned values a layer has. Configurations add these up, so that a hostile model.json is refused before
// anything of its size is allocated. Running statistics of batch norms are not counted.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_MODEL_CONFIG_PARAMETER_COUNT_H_
#define SIGHTLINE_MODEL_CONFIG_PARAMETER_COUNT_H_

#include <cstdint>

namespace sightline::model {

constexpr int64_t LinearParameters(int64_t in, int64_t out, bool bias = true) { return in * out + (bias ? out : 0); }

// Weight and bias of a layer, batch or group norm.
constexpr int64_t NormParameters(int64_t channels) { return 2 * channels; }

// A convolution with bias.
constexpr int64_t ConvParameters(int64_t in_per_group, int64_t out, int64_t kernel) {
  return in_per_group * out * kernel * kernel + out;
}

// A convolution without bias, then a norm.
constexpr int64_t ConvNormParameters(int64_t in_per_group, int64_t out, int64_t kernel) {
  return in_per_group * out * kernel * kernel + NormParameters(out);
}

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_PARAMETER_COUNT_H_
