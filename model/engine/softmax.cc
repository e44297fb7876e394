#include "model/engine/softmax.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/softmax.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sightline::model::engine::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// exp(x) for x <= 0: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2].
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpOfNegative(D d, V x) {
  const hn::RebindToSigned<D> di;
  x = hn::Max(x, hn::Set(d, -87.3f));
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  // ln 2 in two parts, the first with so few bits that its product with n is exact.
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  V p = hn::Set(d, 1.0f / 720);
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 120));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 24));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 6));
  p = hn::MulAdd(p, r, hn::Set(d, 0.5f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  const auto power = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)));
  return hn::Mul(p, hn::BitCast(d, power));
}

float ExpOfRow(float* HWY_RESTRICT row, size_t count) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const size_t lanes = hn::Lanes(d);
  auto largest = hn::Set(d, row[0]);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) largest = hn::Max(largest, hn::LoadU(d, row + i));
  float max = hn::GetLane(hn::MaxOfLanes(d, largest));
  for (; i < count; ++i) max = row[i] > max ? row[i] : max;

  const auto offset = hn::Set(d, max);
  auto s0 = hn::Zero(d), s1 = hn::Zero(d);
  i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const auto a = ExpOfNegative(d, hn::Sub(hn::LoadU(d, row + i), offset));
    const auto b = ExpOfNegative(d, hn::Sub(hn::LoadU(d, row + i + lanes), offset));
    hn::StoreU(a, d, row + i);
    hn::StoreU(b, d, row + i + lanes);
    s0 = hn::Add(s0, a);
    s1 = hn::Add(s1, b);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  for (; i < count; ++i) {
    row[i] = hn::GetLane(ExpOfNegative(one, hn::Set(one, row[i] - max)));
    sum += row[i];
  }
  return sum;
}

void Scale(float* HWY_RESTRICT values, size_t count, float factor) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  const auto factors = hn::Set(d, factor);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, values + i), factors), d, values + i);
  for (; i < count; ++i) values[i] *= factor;
}

}  // namespace sightline::model::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::model::engine {

HWY_EXPORT(ExpOfRow);
HWY_EXPORT(Scale);

float ExpOfRow(float* row, size_t count) { return HWY_DYNAMIC_DISPATCH(ExpOfRow)(row, count); }
void Scale(float* values, size_t count, float factor) { HWY_DYNAMIC_DISPATCH(Scale)(values, count, factor); }

}  // namespace sightline::model::engine

#endif  // HWY_ONCE
