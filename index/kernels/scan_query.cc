#include "index/kernels/scan_query.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sightline::index::kernels {

ScanQuery::ScanQuery(const CodeLayout& layout, const float* values) : layout_(layout), planes_(2 * layout.stride) {
  float largest = 0;
  double norm = 0;
  bool finite = true;
  for (size_t i = 0; i < layout.dim; ++i) {
    finite = finite && std::isfinite(values[i]);
    largest = std::max(largest, std::abs(values[i]));
    norm += static_cast<double>(values[i]) * values[i];
  }
  if (!finite) {
    error_weight_ = scale_weight_ = std::numeric_limits<float>::quiet_NaN();
    return;
  }
  high_scale_ = largest / 127;
  double error = 0;
  for (size_t i = 0; i < layout.dim; ++i) {
    const float in_steps = high_scale_ > 0 ? values[i] / high_scale_ : 0;
    const float high = std::clamp(std::nearbyint(in_steps), -127.0f, 127.0f);
    const float low = std::clamp(std::nearbyint((in_steps - high) * 254), -127.0f, 127.0f);
    planes_[i] = static_cast<int8_t>(high);
    planes_[layout.stride + i] = static_cast<int8_t>(low);
    high_correction_ += 128 * planes_[i];
    low_correction_ += 128 * planes_[layout.stride + i];
    const double off = values[i] - (static_cast<double>(high_scale_) * planes_[i] +
                                    static_cast<double>(low_scale()) * planes_[layout.stride + i]);
    error += off * off;
  }
  // Single precision: a sum of products made in at least four partial sums, and a few more steps here and there.
  const double dim = static_cast<double>(layout.dim);
  const double rounding = (dim / 4 + 32) * 0x1p-24;
  const double length = std::sqrt(norm);
  error_weight_ = static_cast<float>(length * (1 + 2 * rounding));
  scale_weight_ = static_cast<float>((std::sqrt(error) + rounding * length) * 127 * std::sqrt(dim) * (1 + rounding));
}

}  // namespace sightline::index::kernels
