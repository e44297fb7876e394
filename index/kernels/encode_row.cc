#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "index/kernels/int8_code.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/kernels/encode_row.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sightline::index::kernels::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// The largest magnitude, or infinity if any value is not finite.
HWY_INLINE float LargestOf(const float* HWY_RESTRICT values, size_t dim) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const auto limit = hn::Set(d, std::numeric_limits<float>::max());
  const auto infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  auto largest = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= dim; i += lanes) {
    const auto value = hn::Abs(hn::LoadU(d, values + i));
    // A comparison with NaN is false.
    largest = hn::Max(largest, hn::IfThenElse(hn::Le(value, limit), value, infinity));
  }
  float result = hn::GetLane(hn::MaxOfLanes(d, largest));
  for (; i < dim; ++i) {
    result = std::max(result, std::isfinite(values[i]) ? std::abs(values[i]) : std::numeric_limits<float>::infinity());
  }
  return result;
}

// Writes the codes and returns the sum of what they are off by, squared.
HWY_INLINE double WriteCodes(const float* HWY_RESTRICT values, size_t dim, float scale, uint8_t* HWY_RESTRICT row) {
  const hn::ScalableTag<double> d64;
  const hn::Rebind<float, decltype(d64)> d;  // as many floats as there are doubles in a vector
  const hn::RebindToSigned<decltype(d)> d32;
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const size_t lanes = hn::Lanes(d);
  const auto divisor = hn::Set(d, scale);
  const auto scale64 = hn::Set(d64, static_cast<double>(scale));
  auto errors = hn::Zero(d64);
  size_t i = 0;
  for (; i + lanes <= dim; i += lanes) {
    const auto value = hn::LoadU(d, values + i);
    const auto code =
        hn::NearestInt(hn::Max(hn::Min(hn::Div(value, divisor), hn::Set(d, 127.0f)), hn::Set(d, -127.0f)));
    hn::StoreU(hn::DemoteTo(d8, hn::Add(code, hn::Set(d32, 128))), d8, row + i);
    const auto off = hn::Sub(hn::PromoteTo(d64, value), hn::Mul(scale64, hn::PromoteTo(d64, code)));
    errors = hn::MulAdd(off, off, errors);
  }
  double error = hn::GetLane(hn::SumOfLanes(d64, errors));
  for (; i < dim; ++i) {
    const float code = std::clamp(std::nearbyint(values[i] / scale), -127.0f, 127.0f);
    row[i] = static_cast<uint8_t>(code + 128);
    const double off = static_cast<double>(values[i]) - static_cast<double>(scale) * static_cast<double>(code);
    error += off * off;
  }
  return error;
}

void EncodeRow(const CodeLayout& layout, const float* values, uint8_t* row) {
  std::memset(row, 0, layout.stride);
  const float largest = LargestOf(values, layout.dim);
  const bool finite = largest <= std::numeric_limits<float>::max();
  CodeTrailer trailer;
  trailer.scale = finite ? largest / 127 : 0;
  if (trailer.scale > 0) {
    trailer.error = RootRoundedUp(WriteCodes(values, layout.dim, trailer.scale, row));
  } else {
    std::memset(row, 128, layout.dim);
    // Nothing but zeros, or so little that no scale can stand for it.
    const double most = largest;
    trailer.error = RootRoundedUp(most * most * static_cast<double>(layout.dim));
  }
  std::memcpy(row + layout.stride - sizeof(trailer), &trailer, sizeof(trailer));
}

}  // namespace sightline::index::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::index::kernels {

HWY_EXPORT(EncodeRow);

void EncodeRow(const CodeLayout& layout, const float* values, uint8_t* row) {
  HWY_DYNAMIC_DISPATCH(EncodeRow)(layout, values, row);
}

}  // namespace sightline::index::kernels

#endif  // HWY_ONCE
