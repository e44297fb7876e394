#include "model/engine/int8_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/int8_rows.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

#include <limits>

#include "model/engine/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sightline::model::engine::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// Smallest range that is told from zero: far from where 1 / scale overflows.
constexpr float kLeastRange = 1e-30f;

using Floats = hn::ScalableTag<float>;

// f(tag, offset) over `count` values: whole vectors, then one by one. Vectors and single values round alike.
template <class Body>
HWY_INLINE void ForAll(size_t count, const Body& body) {
  const Floats d;
  const hn::CappedTag<float, 1> one;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) body(d, i);
  for (; i < count; ++i) body(one, i);
}

struct Range {
  float lo;
  float hi;
  bool finite;
};

HWY_INLINE Range RangeOf(const float* HWY_RESTRICT x, size_t count) {
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  // x * 0 is 0 for what is finite and NaN for what is not.
  const auto zero = hn::Zero(d);
  auto lo = zero, hi = zero, strange = zero;
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    lo = hn::Min(lo, v);
    hi = hn::Max(hi, v);
    strange = hn::MulAdd(v, zero, strange);
  }
  Range range{hn::GetLane(hn::MinOfLanes(d, lo)), hn::GetLane(hn::MaxOfLanes(d, hi)), true};
  float sum = hn::GetLane(hn::SumOfLanes(d, strange));
  for (; i < count; ++i) {
    range.lo = x[i] < range.lo ? x[i] : range.lo;
    range.hi = x[i] > range.hi ? x[i] : range.hi;
    sum += x[i] * 0.0f;
  }
  range.finite = sum == 0.0f && range.hi - range.lo <= std::numeric_limits<float>::max();
  return range;
}

RowCode QuantiseRow(const float* HWY_RESTRICT x, size_t count, uint8_t* HWY_RESTRICT codes) {
  const Range range = RangeOf(x, count);
  const float width = range.hi - range.lo;
  if (!range.finite || width < kLeastRange) {
    for (size_t i = 0; i < count; ++i) codes[i] = 0;
    return {range.finite ? 1.0f : std::numeric_limits<float>::quiet_NaN(), 0};
  }
  const float scale = width / 255;
  const float factor = 1 / scale;
  const hn::CappedTag<float, 1> one;
  const int32_t zero = hn::GetLane(hn::NearestInt(hn::Set(one, -range.lo * factor)));
  ForAll(count, [&](auto d, size_t i) HWY_ATTR {
    const hn::Rebind<uint8_t, decltype(d)> d8;
    const hn::Rebind<int32_t, decltype(d)> d32;
    const auto code = hn::NearestInt(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)));
    hn::StoreU(hn::DemoteTo(d8, hn::Add(code, hn::Set(d32, zero))), d8, codes + i);
  });
  return {scale, zero};
}

void QuantiseValues(const float* HWY_RESTRICT x, size_t count, float scale, bool is_signed,
                    uint8_t* HWY_RESTRICT codes) {
  const float factor = 1 / scale;
  const float least = is_signed ? -127.0f : 0.0f;
  const float most = is_signed ? 127.0f : 255.0f;
  ForAll(count, [&](auto d, size_t i) HWY_ATTR {
    const hn::Rebind<uint8_t, decltype(d)> d8;
    const hn::Rebind<int32_t, decltype(d)> d32;
    auto v = hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor));
    v = hn::IfThenElseZero(hn::Eq(v, v), v);
    v = hn::Min(hn::Max(v, hn::Set(d, least)), hn::Set(d, most));
    const auto code = hn::And(hn::NearestInt(v), hn::Set(d32, 255));
    hn::StoreU(hn::DemoteTo(d8, code), d8, codes + i);
  });
}

// x Phi(x). The tail Phi(-|x|) is a polynomial in 1 / (1 + p |x| / sqrt 2) times exp(-x^2 / 2): Abramowitz and Stegun
// 7.1.26, error of erf at most 1.5e-7.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Gelu(D d, V x) {
  const V z = hn::Abs(x);
  const V t = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(z, hn::Set(d, 0.3275911f * 0.70710678f), hn::Set(d, 1.0f)));
  V p = hn::Set(d, 0.5f * 1.061405429f);
  p = hn::MulAdd(p, t, hn::Set(d, 0.5f * -1.453152027f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.5f * 1.421413741f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.5f * -0.284496736f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.5f * 0.254829592f));
  const V tail = hn::Mul(hn::Mul(p, t), ExpOfNegative(d, hn::Mul(hn::Mul(z, z), hn::Set(d, -0.5f))));
  return hn::Mul(x, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 1.0f), tail)));
}

// x / (1 + exp(-1.702 x))
template <class D, class V = hn::Vec<D>>
HWY_INLINE V QuickGelu(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V e = ExpOfNegative(d, hn::Mul(hn::Abs(x), hn::Set(d, -1.702f)));
  const V sigmoid_of_abs = hn::Div(one, hn::Add(one, e));
  return hn::Mul(x, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(e, sigmoid_of_abs), sigmoid_of_abs));
}

template <Activation kActivation, class D, class V = hn::Vec<D>>
HWY_INLINE V Activated(D d, V x) {
  if constexpr (kActivation == Activation::kRelu) return hn::Max(x, hn::Zero(d));
  if constexpr (kActivation == Activation::kRelu6) return hn::Min(hn::Max(x, hn::Zero(d)), hn::Set(d, 6.0f));
  if constexpr (kActivation == Activation::kGelu) return Gelu(d, x);
  if constexpr (kActivation == Activation::kQuickGelu) return QuickGelu(d, x);
  return x;
}

template <Activation kActivation, bool kAdd>
HWY_INLINE void Restore(const int32_t* HWY_RESTRICT products, size_t count, const RowCode& row,
                        const ColumnCodes& columns, float* HWY_RESTRICT y) {
  ForAll(count, [&](auto d, size_t i) HWY_ATTR {
    const hn::Rebind<int32_t, decltype(d)> d32;
    const auto zeros = hn::Mul(hn::LoadU(d32, columns.sums + i), hn::Set(d32, row.zero));
    const auto exact = hn::ConvertTo(d, hn::Sub(hn::LoadU(d32, products + i), zeros));
    const auto factor = hn::Mul(hn::LoadU(d, columns.scales + i), hn::Set(d, row.scale));
    const auto bias = columns.bias != nullptr ? hn::LoadU(d, columns.bias + i) : hn::Zero(d);
    auto value = hn::MulAdd(exact, factor, bias);
    if constexpr (kAdd) value = hn::Add(value, hn::LoadU(d, y + i));
    hn::StoreU(Activated<kActivation>(d, value), d, y + i);
  });
}

template <Activation kActivation>
void RestoreWith(const int32_t* products, size_t count, const RowCode& row, const ColumnCodes& columns, bool add,
                 float* y) {
  if (add) return Restore<kActivation, true>(products, count, row, columns, y);
  Restore<kActivation, false>(products, count, row, columns, y);
}

void RestoreRow(const int32_t* products, size_t count, const RowCode& row, const ColumnCodes& columns,
                Activation activation, bool add, float* y) {
  switch (activation) {
    case Activation::kNone: return RestoreWith<Activation::kNone>(products, count, row, columns, add, y);
    case Activation::kRelu: return RestoreWith<Activation::kRelu>(products, count, row, columns, add, y);
    case Activation::kRelu6: return RestoreWith<Activation::kRelu6>(products, count, row, columns, add, y);
    case Activation::kGelu: return RestoreWith<Activation::kGelu>(products, count, row, columns, add, y);
    case Activation::kQuickGelu: return RestoreWith<Activation::kQuickGelu>(products, count, row, columns, add, y);
  }
}

}  // namespace sightline::model::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::model::engine {

HWY_EXPORT(QuantiseRow);
HWY_EXPORT(QuantiseValues);
HWY_EXPORT(RestoreRow);

RowCode QuantiseRow(const float* x, size_t count, uint8_t* codes) {
  return HWY_DYNAMIC_DISPATCH(QuantiseRow)(x, count, codes);
}

void QuantiseValues(const float* x, size_t count, float scale, bool is_signed, uint8_t* codes) {
  HWY_DYNAMIC_DISPATCH(QuantiseValues)(x, count, scale, is_signed, codes);
}

void RestoreRow(const int32_t* products, size_t count, const RowCode& row, const ColumnCodes& columns,
                Activation activation, bool add, float* y) {
  HWY_DYNAMIC_DISPATCH(RestoreRow)(products, count, row, columns, activation, add, y);
}

}  // namespace sightline::model::engine

#endif  // HWY_ONCE
