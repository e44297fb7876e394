#include "model/tokens/quantise.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace sightline::model {

float QuantiseToken(absl::Span<const float> values, absl::Span<int8_t> codes) {
  constexpr float kMostCode = 127.0f;
  double squares = 0;
  float largest = 0;
  for (const float value : values) {
    squares += static_cast<double>(value) * value;
    largest = std::max(largest, std::abs(value));
  }
  const float norm = static_cast<float>(std::sqrt(squares));
  if (!(norm > 0) || !std::isfinite(norm)) {
    std::fill(codes.begin(), codes.end(), int8_t{0});
    return 0;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    codes[i] = static_cast<int8_t>(std::lround(values[i] / largest * kMostCode));
  }
  return largest / norm / kMostCode;
}

std::vector<float> NormaliseImportance(absl::Span<const float> weights) {
  std::vector<float> importance(weights.size());
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    importance[i] = std::isfinite(weights[i]) ? std::max(weights[i], 0.0f) : 0.0f;
    sum += importance[i];
  }
  if (!(sum > 0)) {
    std::fill(importance.begin(), importance.end(), 1.0f / static_cast<float>(weights.size()));
    return importance;
  }
  for (float& weight : importance) weight = static_cast<float>(weight / sum);
  return importance;
}

}  // namespace sightline::model
