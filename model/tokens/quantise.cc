#include "model/tokens/quantise.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace sightline::model {

namespace {

struct Extent {
  float norm = 0;
  float largest = 0;  // magnitude
  bool has_direction() const { return norm > 0 && std::isfinite(norm); }
};

Extent Measure(absl::Span<const float> values) {
  double squares = 0;
  Extent extent;
  for (const float value : values) {
    squares += static_cast<double>(value) * value;
    extent.largest = std::max(extent.largest, std::abs(value));
  }
  extent.norm = static_cast<float>(std::sqrt(squares));
  return extent;
}

}  // namespace

float UnitScale(absl::Span<const int8_t> codes) {
  int64_t squares = 0;
  for (const int8_t code : codes) squares += int64_t{code} * code;
  return squares == 0 ? 0 : static_cast<float>(1 / std::sqrt(static_cast<double>(squares)));
}

float QuantiseToken(absl::Span<const float> values, absl::Span<int8_t> codes) {
  constexpr float kMostCode = 127.0f;
  const Extent extent = Measure(values);
  if (!extent.has_direction()) {
    std::fill(codes.begin(), codes.end(), int8_t{0});
    return 0;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    codes[i] = static_cast<int8_t>(std::lround(values[i] / extent.largest * kMostCode));
  }
  return UnitScale(codes);
}

void NormaliseToken(absl::Span<const float> values, absl::Span<float> out) {
  const Extent extent = Measure(values);
  for (size_t i = 0; i < values.size(); ++i) out[i] = extent.has_direction() ? values[i] / extent.norm : 0;
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
