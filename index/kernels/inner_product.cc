#include "index/kernels/inner_product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/kernels/inner_product.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sightline::index::kernels::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// Two accumulators a row in every variant: the sum of a row must be made in one order, whatever stands beside it.
// Four rows at once give eight independent chains, enough to cover the latency of the fused multiply-add.
template <size_t kRows>
HWY_INLINE void DotRows(const float* HWY_RESTRICT query, const float* HWY_RESTRICT rows, size_t dim, size_t stride,
                        float* HWY_RESTRICT out) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto a0 = hn::Zero(d), a1 = hn::Zero(d);
  auto b0 = hn::Zero(d), b1 = hn::Zero(d);
  auto c0 = hn::Zero(d), c1 = hn::Zero(d);
  auto e0 = hn::Zero(d), e1 = hn::Zero(d);
  size_t i = 0;
  for (; i + 2 * lanes <= dim; i += 2 * lanes) {
    const auto q0 = hn::LoadU(d, query + i);
    const auto q1 = hn::LoadU(d, query + i + lanes);
    a0 = hn::MulAdd(q0, hn::LoadU(d, rows + i), a0);
    a1 = hn::MulAdd(q1, hn::LoadU(d, rows + i + lanes), a1);
    if constexpr (kRows == 4) {
      b0 = hn::MulAdd(q0, hn::LoadU(d, rows + stride + i), b0);
      b1 = hn::MulAdd(q1, hn::LoadU(d, rows + stride + i + lanes), b1);
      c0 = hn::MulAdd(q0, hn::LoadU(d, rows + 2 * stride + i), c0);
      c1 = hn::MulAdd(q1, hn::LoadU(d, rows + 2 * stride + i + lanes), c1);
      e0 = hn::MulAdd(q0, hn::LoadU(d, rows + 3 * stride + i), e0);
      e1 = hn::MulAdd(q1, hn::LoadU(d, rows + 3 * stride + i + lanes), e1);
    }
  }
  // Written as vectors of one lane, so that the compiler fuses multiply and add in both variants or in neither.
  const hn::CappedTag<float, 1> one;
  float tail[4] = {0, 0, 0, 0};
  for (; i < dim; ++i) {
    const auto q = hn::Set(one, query[i]);
    for (size_t r = 0; r < kRows; ++r) {
      tail[r] = hn::GetLane(hn::MulAdd(q, hn::Set(one, rows[r * stride + i]), hn::Set(one, tail[r])));
    }
  }
  out[0] = hn::GetLane(hn::SumOfLanes(d, hn::Add(a0, a1))) + tail[0];
  if constexpr (kRows == 4) {
    out[1] = hn::GetLane(hn::SumOfLanes(d, hn::Add(b0, b1))) + tail[1];
    out[2] = hn::GetLane(hn::SumOfLanes(d, hn::Add(c0, c1))) + tail[2];
    out[3] = hn::GetLane(hn::SumOfLanes(d, hn::Add(e0, e1))) + tail[3];
  }
}

void InnerProducts(const float* query, const float* rows, size_t dim, size_t stride, size_t count, float* out) {
  size_t r = 0;
  for (; r + 4 <= count; r += 4) DotRows<4>(query, rows + r * stride, dim, stride, out + r);
  for (; r < count; ++r) DotRows<1>(query, rows + r * stride, dim, stride, out + r);
}

const char* LevelName() { return ::hwy::TargetName(HWY_TARGET); }

}  // namespace sightline::index::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::index::kernels {

HWY_EXPORT(InnerProducts);
HWY_EXPORT(LevelName);

void InnerProducts(const float* query, const float* rows, size_t dim, size_t stride, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(InnerProducts)(query, rows, dim, stride, count, out);
}

double InnerProductReference(const float* a, const float* b, size_t dim) {
  double sum = 0;
  for (size_t i = 0; i < dim; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

const char* LevelName() { return HWY_DYNAMIC_DISPATCH(LevelName)(); }

}  // namespace sightline::index::kernels

#endif  // HWY_ONCE
