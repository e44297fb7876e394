#include "model/calibration/input_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sightline::model {
namespace {

constexpr float kLargest = 1e12f;
constexpr float kSmallest = 1e-9f;
// Cuts that are tried, evenly over the range.
constexpr int kCuts = 512;

}  // namespace

void InputHistogram::Widen(float value) {
  if (limit_ == 0) {
    limit_ = std::exp2(std::floor(std::log2(value)) + 1);
    return;
  }
  while (value >= limit_) {
    for (int i = 0; i < kBins / 2; ++i) counts_[i] = counts_[2 * i] + counts_[2 * i + 1];
    std::fill(counts_.begin() + kBins / 2, counts_.end(), 0);
    limit_ *= 2;
  }
}

void InputHistogram::Add(absl::Span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    if (std::abs(value) <= kLargest) largest = std::max(largest, std::abs(value));
  }
  if (largest < kSmallest) return;
  if (largest >= limit_) Widen(largest);
  const float bins_per_unit = kBins / limit_;
  for (const float value : values) {
    const float size = std::abs(value);
    // Also false for NaN.
    if (!(size >= kSmallest && size <= kLargest)) continue;
    negative_ = negative_ || value < 0;
    ++counts_[std::min(kBins - 1, static_cast<int>(size * bins_per_unit))];
  }
}

InputScale InputHistogram::Choose() const {
  if (limit_ == 0) return {};
  const double levels = negative_ ? 127 : 255;
  const double width = static_cast<double>(limit_) / kBins;
  int used = kBins;
  while (used > 1 && counts_[used - 1] == 0) --used;

  double least_error = std::numeric_limits<double>::infinity();
  double best = used * width;
  for (int i = 1; i <= kCuts; ++i) {
    const double cut = used * width * i / kCuts;
    const double step = cut / levels;
    double error = 0;
    for (int bin = 0; bin < used; ++bin) {
      const double size = (bin + 0.5) * width;
      // A rounded value is off by up to half a step either way, evenly spread.
      const double square = size <= cut ? step * step / 12 : (size - cut) * (size - cut);
      error += static_cast<double>(counts_[bin]) * square;
    }
    if (error < least_error) {
      least_error = error;
      best = cut;
    }
  }
  return {static_cast<float>(best / levels), negative_};
}

}  // namespace sightline::model
