// The exponential of entropic transport, at the SIMD level the including file is being compiled for. Included by .cc
// files inside Highway's foreach_target and after <hwy/highway.h>; not for anyone else.
#include <bit>
#include <cmath>
#include <cstdint>

// Highway's pattern for headers of its targets: defined once for each.
#if defined(SIGHTLINE_INDEX_KERNELS_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SIGHTLINE_INDEX_KERNELS_EXP_INL_H_
#undef SIGHTLINE_INDEX_KERNELS_EXP_INL_H_
#else
#define SIGHTLINE_INDEX_KERNELS_EXP_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace sightline::index::kernels::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

constexpr bool kFusedMultiplyAdd =
    HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SSSE3 && HWY_TARGET != HWY_SSE4;

// exp((s - 1) / epsilon) for cosines s up to 1.1. Nothing is rounded before the exponential: s - 1, or the quotient at
// -40, rounded to float32, would be off by 2e-6, and the exponential with it. Relative error below 3e-7 down to 2^-124;
// what is smaller counts as about that.
//
// With s / epsilon = ln 2 * (n + f) and 1 / epsilon = ln 2 * (m + g), n and m integers: 2^f * 2^-g * 2^(n - m). 2^f is
// the polynomial of degree 5 whose relative error on [-1/2, 1/2] is least (Remez exchange; 7.5e-8), and 2^-g a factor
// of its coefficients.
class CosineExp {
 public:
  explicit CosineExp(double epsilon) {
    const double scale = 1.44269504088896340736 / epsilon, whole = std::floor(scale);
    scale_ = static_cast<float>(scale);
    if constexpr (!kFusedMultiplyAdd) scale_ = std::bit_cast<float>(std::bit_cast<int32_t>(scale_) & kHighBits);
    rest_ = static_cast<float>(scale - scale_);
    // Half of the smallest polynomial, times a quarter, is still a normal number.
    least_ = static_cast<float>((whole - 124) / scale);
    magic_ =
        static_cast<float>(12582912 - whole);  // 1.5 * 2^23: what is added to it becomes an integer in the low bits
    const double factor = std::exp2(whole - scale);
    constexpr double kPolynomial[] = {1.000000072,   0.6931469671,   0.2402211972,
                                      0.05550713273, 0.009675541334, 0.001327647199};
    for (int i = 0; i < 6; ++i) polynomial_[i] = static_cast<float>(kPolynomial[i] * factor);
  }

  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V s) const {
    const hn::RebindToSigned<D> di;
    const auto scale = hn::Set(d, scale_), magic = hn::Set(d, magic_);
    s = hn::Max(s, hn::Set(d, least_));
    const auto shifted = hn::MulAdd(s, scale, magic);
    const auto n = hn::Sub(shifted, magic);
    V f;
    if constexpr (kFusedMultiplyAdd) {
      f = hn::MulSub(s, scale, n);
    } else {
      // Both products are exact: neither factor has more than 12 bits.
      const auto high = hn::BitCast(d, hn::And(hn::BitCast(di, s), hn::Set(di, kHighBits)));
      f = hn::Add(hn::Sub(hn::Mul(high, scale), n), hn::Mul(hn::Sub(s, high), scale));
    }
    f = hn::MulAdd(s, hn::Set(d, rest_), f);
    auto p = hn::Set(d, polynomial_[5]);
    p = hn::MulAdd(p, f, hn::Set(d, polynomial_[4]));
    p = hn::MulAdd(p, f, hn::Set(d, polynomial_[3]));
    p = hn::MulAdd(p, f, hn::Set(d, polynomial_[2]));
    p = hn::MulAdd(p, f, hn::Set(d, polynomial_[1]));
    p = hn::MulAdd(p, f, hn::Set(d, polynomial_[0]));
    return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
  }

 private:
  static constexpr int32_t kHighBits = -4096;  // the sign, the exponent and 11 bits of the fraction

  float scale_ = 0;
  float rest_ = 0;
  float least_ = 0;
  float magic_ = 0;
  float polynomial_[6] = {};
};

}  // namespace sightline::index::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
