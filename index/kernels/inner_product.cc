#include "index/kernels/inner_product.h"

#include "index/kernels/float16.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/kernels/inner_product.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sightline::index::kernels::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// Written as vectors of one lane, so that the compiler fuses multiply and add everywhere or nowhere.
HWY_INLINE float AddProduct(float a, float b, float sum) {
  const hn::CappedTag<float, 1> one;
  return hn::GetLane(hn::MulAdd(hn::Set(one, a), hn::Set(one, b), hn::Set(one, sum)));
}

template <class D>
HWY_INLINE hn::Vec<D> LoadValues(D d, const float* values) {
  return hn::LoadU(d, values);
}

template <class D>
HWY_INLINE hn::Vec<D> LoadValues(D d, const uint16_t* halves) {
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SSSE3 || HWY_TARGET == HWY_SSE4
  // As in FloatFromFloat16; Highway's own version for these levels does not know infinities.
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::PromoteTo(du, hn::LoadU(hn::Rebind<uint16_t, D>(), halves));
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(du, 0x8000)));
  const auto magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(du, 0x7FFF)));
  const auto value = hn::Mul(hn::BitCast(d, magnitude), hn::Set(d, 0x1p112f));
  const auto exponent =
      hn::IfThenElseZero(hn::Ge(value, hn::Set(d, 65536.0f)), hn::BitCast(d, hn::Set(du, 0x7F800000)));
  return hn::Or(hn::Or(value, exponent), hn::BitCast(d, sign));
#else
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::float16_t, D>(), reinterpret_cast<const hwy::float16_t*>(halves)));
#endif
}

HWY_INLINE float ValueOf(float value) { return value; }
HWY_INLINE float ValueOf(uint16_t half) { return FloatFromFloat16(half); }

// One row after the other, from its beginning to its end: the pattern that hardware prefetching is made for. Several
// rows abreast read at less than half of the speed of memory. Four sums cover the latency of the fused multiply-add;
// every variant below adds in this order, so that a row's score is the same in all of them.
template <typename T>
HWY_INLINE float Dot(const float* HWY_RESTRICT query, const T* HWY_RESTRICT row, size_t dim) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
  size_t i = 0;
  for (; i + 4 * lanes <= dim; i += 4 * lanes) {
    s0 = hn::MulAdd(hn::LoadU(d, query + i), LoadValues(d, row + i), s0);
    s1 = hn::MulAdd(hn::LoadU(d, query + i + lanes), LoadValues(d, row + i + lanes), s1);
    s2 = hn::MulAdd(hn::LoadU(d, query + i + 2 * lanes), LoadValues(d, row + i + 2 * lanes), s2);
    s3 = hn::MulAdd(hn::LoadU(d, query + i + 3 * lanes), LoadValues(d, row + i + 3 * lanes), s3);
  }
  for (; i + lanes <= dim; i += lanes) s0 = hn::MulAdd(hn::LoadU(d, query + i), LoadValues(d, row + i), s0);
  float tail = 0;
  for (; i < dim; ++i) tail = AddProduct(query[i], ValueOf(row[i]), tail);
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)))) + tail;
}

void InnerProducts(const float* query, const float* rows, size_t dim, size_t stride, size_t count, float* out) {
  for (size_t r = 0; r < count; ++r) out[r] = Dot(query, rows + r * stride, dim);
}

void InnerProductsHalf(const float* query, const uint16_t* rows, size_t dim, size_t stride, size_t count, float* out) {
  for (size_t r = 0; r < count; ++r) out[r] = Dot(query, rows + r * stride, dim);
}

// Four queries and one row. The sums have names because compilers leave arrays of them in memory.
HWY_INLINE void DotFour(const float* HWY_RESTRICT qa, const float* HWY_RESTRICT qb, const float* HWY_RESTRICT qc,
                        const float* HWY_RESTRICT qe, const float* HWY_RESTRICT row, size_t dim,
                        float* HWY_RESTRICT out, size_t out_stride) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto a0 = hn::Zero(d), a1 = hn::Zero(d), a2 = hn::Zero(d), a3 = hn::Zero(d);
  auto b0 = hn::Zero(d), b1 = hn::Zero(d), b2 = hn::Zero(d), b3 = hn::Zero(d);
  auto c0 = hn::Zero(d), c1 = hn::Zero(d), c2 = hn::Zero(d), c3 = hn::Zero(d);
  auto e0 = hn::Zero(d), e1 = hn::Zero(d), e2 = hn::Zero(d), e3 = hn::Zero(d);
  size_t i = 0;
  for (; i + 4 * lanes <= dim; i += 4 * lanes) {
    const auto r0 = hn::LoadU(d, row + i);
    a0 = hn::MulAdd(hn::LoadU(d, qa + i), r0, a0);
    b0 = hn::MulAdd(hn::LoadU(d, qb + i), r0, b0);
    c0 = hn::MulAdd(hn::LoadU(d, qc + i), r0, c0);
    e0 = hn::MulAdd(hn::LoadU(d, qe + i), r0, e0);
    const auto r1 = hn::LoadU(d, row + i + lanes);
    a1 = hn::MulAdd(hn::LoadU(d, qa + i + lanes), r1, a1);
    b1 = hn::MulAdd(hn::LoadU(d, qb + i + lanes), r1, b1);
    c1 = hn::MulAdd(hn::LoadU(d, qc + i + lanes), r1, c1);
    e1 = hn::MulAdd(hn::LoadU(d, qe + i + lanes), r1, e1);
    const auto r2 = hn::LoadU(d, row + i + 2 * lanes);
    a2 = hn::MulAdd(hn::LoadU(d, qa + i + 2 * lanes), r2, a2);
    b2 = hn::MulAdd(hn::LoadU(d, qb + i + 2 * lanes), r2, b2);
    c2 = hn::MulAdd(hn::LoadU(d, qc + i + 2 * lanes), r2, c2);
    e2 = hn::MulAdd(hn::LoadU(d, qe + i + 2 * lanes), r2, e2);
    const auto r3 = hn::LoadU(d, row + i + 3 * lanes);
    a3 = hn::MulAdd(hn::LoadU(d, qa + i + 3 * lanes), r3, a3);
    b3 = hn::MulAdd(hn::LoadU(d, qb + i + 3 * lanes), r3, b3);
    c3 = hn::MulAdd(hn::LoadU(d, qc + i + 3 * lanes), r3, c3);
    e3 = hn::MulAdd(hn::LoadU(d, qe + i + 3 * lanes), r3, e3);
  }
  for (; i + lanes <= dim; i += lanes) {
    const auto r0 = hn::LoadU(d, row + i);
    a0 = hn::MulAdd(hn::LoadU(d, qa + i), r0, a0);
    b0 = hn::MulAdd(hn::LoadU(d, qb + i), r0, b0);
    c0 = hn::MulAdd(hn::LoadU(d, qc + i), r0, c0);
    e0 = hn::MulAdd(hn::LoadU(d, qe + i), r0, e0);
  }
  float a = 0, b = 0, c = 0, e = 0;
  for (; i < dim; ++i) {
    a = AddProduct(qa[i], row[i], a);
    b = AddProduct(qb[i], row[i], b);
    c = AddProduct(qc[i], row[i], c);
    e = AddProduct(qe[i], row[i], e);
  }
  out[0] = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)))) + a;
  out[out_stride] = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(b0, b1), hn::Add(b2, b3)))) + b;
  out[2 * out_stride] = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(c0, c1), hn::Add(c2, c3)))) + c;
  out[3 * out_stride] = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(e0, e1), hn::Add(e2, e3)))) + e;
}

void InnerProductsBlock(const float* const* queries, size_t num_queries, const float* rows, size_t dim, size_t stride,
                        size_t count, float* out, size_t out_stride) {
  for (size_t r = 0; r < count; ++r) {
    const float* row = rows + r * stride;
    size_t q = 0;
    for (; q + 4 <= num_queries; q += 4) {
      DotFour(queries[q], queries[q + 1], queries[q + 2], queries[q + 3], row, dim, out + q * out_stride + r,
              out_stride);
    }
    for (; q < num_queries; ++q) out[q * out_stride + r] = Dot(queries[q], row, dim);
  }
}

const char* LevelName() { return ::hwy::TargetName(HWY_TARGET); }

}  // namespace sightline::index::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::index::kernels {

HWY_EXPORT(InnerProducts);
HWY_EXPORT(InnerProductsBlock);
HWY_EXPORT(InnerProductsHalf);
HWY_EXPORT(LevelName);

void InnerProducts(const float* query, const float* rows, size_t dim, size_t stride, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(InnerProducts)(query, rows, dim, stride, count, out);
}

void InnerProductsBlock(const float* const* queries, size_t num_queries, const float* rows, size_t dim, size_t stride,
                        size_t count, float* out, size_t out_stride) {
  HWY_DYNAMIC_DISPATCH(InnerProductsBlock)(queries, num_queries, rows, dim, stride, count, out, out_stride);
}

void InnerProductsHalf(const float* query, const uint16_t* rows, size_t dim, size_t stride, size_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(InnerProductsHalf)(query, rows, dim, stride, count, out);
}

double InnerProductReference(const float* a, const float* b, size_t dim) {
  double sum = 0;
  for (size_t i = 0; i < dim; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

const char* LevelName() { return HWY_DYNAMIC_DISPATCH(LevelName)(); }

}  // namespace sightline::index::kernels

#endif  // HWY_ONCE
