// The exponential that softmax and GELU share, at the SIMD level the including file is being compiled for. Included by
// .cc files inside Highway's foreach_target and after <hwy/highway.h>; not for anyone else.

// Highway's pattern for headers of its targets: defined once for each.
#if defined(SIGHTLINE_MODEL_ENGINE_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SIGHTLINE_MODEL_ENGINE_EXP_INL_H_
#undef SIGHTLINE_MODEL_ENGINE_EXP_INL_H_
#else
#define SIGHTLINE_MODEL_ENGINE_EXP_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace sightline::model::engine::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// exp(x) for x <= 0: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2]. Relative error below 3e-7 above -87; what is
// smaller counts as -87.3.
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
  return hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)))));
}

}  // namespace sightline::model::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
