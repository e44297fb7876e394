#include "model/engine/softmax.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/softmax.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

#include "model/engine/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sightline::model::engine::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

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

void SoftmaxGradientOfRow(const float* HWY_RESTRICT p, size_t count, float* HWY_RESTRICT gradient) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto sums = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) sums = hn::MulAdd(hn::LoadU(d, p + i), hn::LoadU(d, gradient + i), sums);
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < count; ++i) sum += p[i] * gradient[i];

  const auto offset = hn::Set(d, sum);
  i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, p + i), hn::Sub(hn::LoadU(d, gradient + i), offset)), d, gradient + i);
  }
  for (; i < count; ++i) gradient[i] = p[i] * (gradient[i] - sum);
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
HWY_EXPORT(SoftmaxGradientOfRow);
HWY_EXPORT(Scale);

float ExpOfRow(float* row, size_t count) { return HWY_DYNAMIC_DISPATCH(ExpOfRow)(row, count); }
void SoftmaxGradientOfRow(const float* p, size_t count, float* gradient) {
  HWY_DYNAMIC_DISPATCH(SoftmaxGradientOfRow)(p, count, gradient);
}
void Scale(float* values, size_t count, float factor) { HWY_DYNAMIC_DISPATCH(Scale)(values, count, factor); }

}  // namespace sightline::model::engine

#endif  // HWY_ONCE
