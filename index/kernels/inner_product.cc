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

// Two sums in every variant: a row's score must be made in one order, whatever rows and queries stand beside it.
template <typename T>
HWY_INLINE float Dot(const float* HWY_RESTRICT query, const T* HWY_RESTRICT row, size_t dim) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = hn::Zero(d);
  size_t i = 0;
  for (; i + 2 * lanes <= dim; i += 2 * lanes) {
    s0 = hn::MulAdd(hn::LoadU(d, query + i), LoadValues(d, row + i), s0);
    s1 = hn::MulAdd(hn::LoadU(d, query + i + lanes), LoadValues(d, row + i + lanes), s1);
  }
  float tail = 0;
  for (; i < dim; ++i) tail = AddProduct(query[i], ValueOf(row[i]), tail);
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1))) + tail;
}

// One row after the other, from its beginning to its end: the pattern that hardware prefetching is made for. Several
// rows abreast are read at less than half of the speed of memory.
void InnerProducts(const float* query, const float* rows, size_t dim, size_t stride, size_t count, float* out) {
  for (size_t r = 0; r < count; ++r) out[r] = Dot(query, rows + r * stride, dim);
}

void InnerProductsHalf(const float* query, const uint16_t* rows, size_t dim, size_t stride, size_t count, float* out) {
  for (size_t r = 0; r < count; ++r) out[r] = Dot(query, rows + r * stride, dim);
}

// With 16 registers the sums of one row fit, with 32 those of two, which share the loads of the queries.
constexpr size_t kBlockRows = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_ARCH_ARM_A64 ? 2 : 1;

// Four queries and kBlockRows rows. The sums have names because compilers leave arrays of them in memory. `ahead` is
// where the rows go on that are read next: they are asked for in order, because rows abreast are not foreseen by the
// hardware.
HWY_INLINE void DotFour(const float* HWY_RESTRICT qa, const float* HWY_RESTRICT qb, const float* HWY_RESTRICT qc,
                        const float* HWY_RESTRICT qe, const float* HWY_RESTRICT row, size_t dim, size_t stride,
                        const float* ahead, float* HWY_RESTRICT out, size_t out_stride) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto a0 = hn::Zero(d), a1 = hn::Zero(d), b0 = hn::Zero(d), b1 = hn::Zero(d);
  auto c0 = hn::Zero(d), c1 = hn::Zero(d), e0 = hn::Zero(d), e1 = hn::Zero(d);
  auto a2 = hn::Zero(d), a3 = hn::Zero(d), b2 = hn::Zero(d), b3 = hn::Zero(d);
  auto c2 = hn::Zero(d), c3 = hn::Zero(d), e2 = hn::Zero(d), e3 = hn::Zero(d);
  const float* HWY_RESTRICT second = row + stride;
  size_t i = 0;
  for (; i + 2 * lanes <= dim; i += 2 * lanes) {
    if (ahead != nullptr) {
      for (size_t line = 0; line < kBlockRows * 2 * lanes; line += 16)
        __builtin_prefetch(ahead + kBlockRows * i + line, 0, 2);
    }
    const auto r0 = hn::LoadU(d, row + i);
    const auto r1 = hn::LoadU(d, row + i + lanes);
    const auto va0 = hn::LoadU(d, qa + i), va1 = hn::LoadU(d, qa + i + lanes);
    const auto vb0 = hn::LoadU(d, qb + i), vb1 = hn::LoadU(d, qb + i + lanes);
    const auto vc0 = hn::LoadU(d, qc + i), vc1 = hn::LoadU(d, qc + i + lanes);
    const auto ve0 = hn::LoadU(d, qe + i), ve1 = hn::LoadU(d, qe + i + lanes);
    a0 = hn::MulAdd(va0, r0, a0);
    a1 = hn::MulAdd(va1, r1, a1);
    b0 = hn::MulAdd(vb0, r0, b0);
    b1 = hn::MulAdd(vb1, r1, b1);
    c0 = hn::MulAdd(vc0, r0, c0);
    c1 = hn::MulAdd(vc1, r1, c1);
    e0 = hn::MulAdd(ve0, r0, e0);
    e1 = hn::MulAdd(ve1, r1, e1);
    if constexpr (kBlockRows == 2) {
      const auto r2 = hn::LoadU(d, second + i);
      const auto r3 = hn::LoadU(d, second + i + lanes);
      a2 = hn::MulAdd(va0, r2, a2);
      a3 = hn::MulAdd(va1, r3, a3);
      b2 = hn::MulAdd(vb0, r2, b2);
      b3 = hn::MulAdd(vb1, r3, b3);
      c2 = hn::MulAdd(vc0, r2, c2);
      c3 = hn::MulAdd(vc1, r3, c3);
      e2 = hn::MulAdd(ve0, r2, e2);
      e3 = hn::MulAdd(ve1, r3, e3);
    }
  }
  const auto store = [&](const float* query, const float* values, auto sum, float* to) HWY_ATTR {
    float tail = 0;
    for (size_t t = i; t < dim; ++t) tail = AddProduct(query[t], values[t], tail);
    *to = hn::GetLane(hn::SumOfLanes(d, sum)) + tail;
  };
  store(qa, row, hn::Add(a0, a1), out);
  store(qb, row, hn::Add(b0, b1), out + out_stride);
  store(qc, row, hn::Add(c0, c1), out + 2 * out_stride);
  store(qe, row, hn::Add(e0, e1), out + 3 * out_stride);
  if constexpr (kBlockRows == 2) {
    store(qa, second, hn::Add(a2, a3), out + 1);
    store(qb, second, hn::Add(b2, b3), out + out_stride + 1);
    store(qc, second, hn::Add(c2, c3), out + 2 * out_stride + 1);
    store(qe, second, hn::Add(e2, e3), out + 3 * out_stride + 1);
  }
}

void InnerProductsBlock(const float* const* queries, size_t num_queries, const float* rows, size_t dim, size_t stride,
                        size_t count, float* out, size_t out_stride) {
  size_t r = 0;
  for (; r + kBlockRows <= count; r += kBlockRows) {
    const float* row = rows + r * stride;
    const float* ahead = row + kBlockRows * stride;
    size_t q = 0;
    for (; q + 4 <= num_queries; q += 4) {
      DotFour(queries[q], queries[q + 1], queries[q + 2], queries[q + 3], row, dim, stride, q == 0 ? ahead : nullptr,
              out + q * out_stride + r, out_stride);
    }
    for (; q < num_queries; ++q) {
      for (size_t s = 0; s < kBlockRows; ++s) out[q * out_stride + r + s] = Dot(queries[q], row + s * stride, dim);
    }
  }
  for (; r < count; ++r) {
    for (size_t q = 0; q < num_queries; ++q) out[q * out_stride + r] = Dot(queries[q], rows + r * stride, dim);
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
