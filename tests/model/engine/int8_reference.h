// What the int8 kernels must give, written plainly: float operations one by one, sums in 64-bit integers.
#ifndef SIGHTLINE_TESTS_MODEL_ENGINE_INT8_REFERENCE_H_
#define SIGHTLINE_TESTS_MODEL_ENGINE_INT8_REFERENCE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "model/engine/activation.h"

namespace sightline::model::engine {

struct PlainRow {
  std::vector<uint8_t> codes;
  float scale = 1;
  int zero = 0;
};

// For a row of finite values.
inline PlainRow PlainQuantise(const std::vector<float>& x) {
  PlainRow row{.codes = std::vector<uint8_t>(x.size())};
  float lo = 0, hi = 0;
  for (const float value : x) {
    lo = std::min(lo, value);
    hi = std::max(hi, value);
  }
  if (hi - lo < 1e-30f) return row;
  row.scale = (hi - lo) / 255;
  const float factor = 1 / row.scale;
  row.zero = static_cast<int>(std::nearbyint(-lo * factor));
  for (size_t i = 0; i < x.size(); ++i) {
    row.codes[i] = static_cast<uint8_t>(std::clamp(static_cast<int>(std::nearbyint(x[i] * factor)) + row.zero, 0, 255));
  }
  return row;
}

// Outputs of `in` weights each.
struct PlainWeights {
  std::vector<int> codes;
  std::vector<float> scales;
};

inline PlainWeights PlainQuantiseWeights(const std::vector<float>& w, size_t out) {
  const size_t in = w.size() / out;
  PlainWeights weights{std::vector<int>(w.size()), std::vector<float>(out)};
  for (size_t n = 0; n < out; ++n) {
    float largest = 0;
    for (size_t k = 0; k < in; ++k) largest = std::max(largest, std::abs(w[n * in + k]));
    weights.scales[n] = largest / 127;
    if (largest == 0) continue;
    for (size_t k = 0; k < in; ++k) {
      weights.codes[n * in + k] = static_cast<int>(std::nearbyint(w[n * in + k] / weights.scales[n]));
    }
  }
  return weights;
}

inline double PlainActivate(double x, Activation activation) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return std::max(x, 0.0);
    case Activation::kRelu6: return std::clamp(x, 0.0, 6.0);
    case Activation::kGelu: return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kQuickGelu: return x / (1 + std::exp(-1.702 * x));
  }
  return x;
}

inline std::vector<float> Normal(std::mt19937& generator, size_t count, float deviation) {
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_TESTS_MODEL_ENGINE_INT8_REFERENCE_H_
