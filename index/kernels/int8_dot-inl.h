// What the kernels over int8 codes have in common, at the SIMD level the including file is being compiled for. Included
// by them, inside Highway's foreach_target and after <hwy/highway.h>; not for anyone else.
//
// Unsigned bytes of the rows times signed bytes of the query, summed in int32: exact in every order as long as a row
// has at most 65,536 values, so that all levels agree bit for bit.
//
// maddubs is not used anywhere: it saturates at 16 bits.
#include "index/kernels/int8_code.h"

// Highway's pattern for headers of its targets: defined once for each.
#if defined(SIGHTLINE_INDEX_KERNELS_INT8_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SIGHTLINE_INDEX_KERNELS_INT8_DOT_INL_H_
#undef SIGHTLINE_INDEX_KERNELS_INT8_DOT_INL_H_
#else
#define SIGHTLINE_INDEX_KERNELS_INT8_DOT_INL_H_
#endif

#if HWY_TARGET == HWY_AVX3_DL
// Highway detects AVX3_DL by AVX512_VNNI but does not enable it for the compiler.
#undef SIGHTLINE_AVX3_DL_STR
#define SIGHTLINE_AVX3_DL_STR \
  HWY_TARGET_STR_AVX3 ",vpclmulqdq,avx512vbmi,avx512vbmi2,vaes,avxvnni,avx512bitalg,avx512vpopcntdq,avx512vnni"
#undef HWY_TARGET_STR
#define HWY_TARGET_STR SIGHTLINE_AVX3_DL_STR
#endif

HWY_BEFORE_NAMESPACE();
namespace sightline::index::kernels::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_AVX3_DL

using Int8Sum = __m512i;

HWY_INLINE size_t Int8Step() { return 64; }
HWY_INLINE Int8Sum ZeroInt8Sum() { return _mm512_setzero_si512(); }
HWY_INLINE __m512i LoadQueryBytes(const int8_t* values) { return _mm512_loadu_si512(values); }
HWY_INLINE void AddProducts(__m512i query, const uint8_t* row, Int8Sum& sum, Int8Sum&) {
  sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(row), query);
}
HWY_INLINE Int8Sum AddSums(Int8Sum a, Int8Sum b) { return _mm512_add_epi32(a, b); }
HWY_INLINE int32_t TotalOf(Int8Sum sum) { return _mm512_reduce_add_epi32(sum); }

#elif HWY_TARGET == HWY_SCALAR

using Int8Sum = int32_t;

HWY_INLINE size_t Int8Step() { return 1; }
HWY_INLINE Int8Sum ZeroInt8Sum() { return 0; }
HWY_INLINE int32_t LoadQueryBytes(const int8_t* values) { return *values; }
HWY_INLINE void AddProducts(int32_t query, const uint8_t* row, Int8Sum& sum, Int8Sum&) { sum += query * *row; }
HWY_INLINE Int8Sum AddSums(Int8Sum a, Int8Sum b) { return a + b; }
HWY_INLINE int32_t TotalOf(Int8Sum sum) { return sum; }

#else

// Capped, so that a step never passes the end of a row, whose size is a multiple of 64.
using Int8Tag32 = hn::CappedTag<int32_t, 16>;
using Int8Tag16 = hn::Repartition<int16_t, Int8Tag32>;
using Int8Sum = hn::Vec<Int8Tag32>;

HWY_INLINE size_t Int8Step() { return hn::Lanes(Int8Tag16()); }
HWY_INLINE Int8Sum ZeroInt8Sum() { return hn::Zero(Int8Tag32()); }
HWY_INLINE hn::Vec<Int8Tag16> LoadQueryBytes(const int8_t* values) {
  return hn::PromoteTo(Int8Tag16(), hn::LoadU(hn::Rebind<int8_t, Int8Tag16>(), values));
}
HWY_INLINE void AddProducts(hn::Vec<Int8Tag16> query, const uint8_t* row, Int8Sum& low, Int8Sum& high) {
  const auto values = hn::PromoteTo(Int8Tag16(), hn::LoadU(hn::Rebind<uint8_t, Int8Tag16>(), row));
  low = hn::ReorderWidenMulAccumulate(Int8Tag32(), values, query, low, high);
}
HWY_INLINE Int8Sum AddSums(Int8Sum a, Int8Sum b) { return hn::Add(a, b); }
HWY_INLINE int32_t TotalOf(Int8Sum sum) { return hn::GetLane(hn::SumOfLanes(Int8Tag32(), sum)); }

#endif

// How many rows ahead rows anywhere are asked for: enough to keep it busy, few enough to stay in the second-level
// cache.
constexpr size_t kRowsAhead = 6;

// The hint is for the second-level cache, which can have far more lines under way than the first.
HWY_INLINE void AskForLine(const uint8_t* line) { __builtin_prefetch(line, 0, 2); }

}  // namespace sightline::index::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // SIGHTLINE_INDEX_KERNELS_INT8_DOT_INL_H_
